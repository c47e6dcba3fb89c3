"""Raw dataset to prepared images in several sizes, and metadata with the split."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torchvision.transforms import Resize
from tqdm import tqdm

from megalib import catalogue, code, splits
from megalib.catalogue import Dataset
from megalib.errors import UserError
from megalib.files import Run, inside, shown, whole_file

if TYPE_CHECKING:
    from wildlife_datasets.datasets import WildlifeDataset


def fetch(dataset: Dataset, raw: Path, download: bool) -> Path:
    """Make sure that the raw pictures of a dataset are there.

    Drawn datasets are drawn, others are fetched by wildlife-datasets if `download` is set.

    Args:
        dataset: an entry of the catalogue.
        raw: the folder that holds one sub-folder per raw dataset.
        download: whether missing photographs may be fetched.

    Returns:
        The folder of this dataset.

    Raises:
        UserError: the pictures are missing, or fetching them failed.
    """
    folder = raw / dataset.name
    if dataset.is_drawn:
        return _draw(dataset, folder)
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    if not download:
        raise UserError(
            f"no raw images of {dataset.name} in {shown(folder)}: put them there, name the folder "
            "above it with -p raw FOLDER, or let wildlife-datasets fetch them with -p download True"
        )
    from megalib import wildlife  # takes seconds to import

    partial = folder.with_name(f".{dataset.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        wildlife.download(dataset.loader, partial)
        partial.replace(folder)
    except Exception as error:  # wildlife-datasets raises bare exceptions with instructions
        reason = " ".join(str(error).split())
        raise UserError(f"cannot fetch {dataset.name} into {shown(folder)}: {reason}") from error
    return folder


def _draw(dataset: Dataset, folder: Path) -> Path:
    """Draw a dataset, again if the drawing code has changed since."""
    mark, drawn_by = folder / "drawn-by.txt", code.digest("demo")
    if mark.is_file() and mark.read_text() == drawn_by:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dataset.loader.get_data(str(folder), force=True, workers=torch.get_num_threads())
    except OSError as error:
        raise UserError(f"cannot draw into {shown(folder)}: {error.strerror}") from error
    with whole_file(mark) as temporary:
        temporary.write_text(drawn_by)
    return folder


def prepare(
    dataset: Dataset,
    folder: Path,
    run: Run,
    sizes: Sequence[int] = (256, 518),
    train_share: float = 0.8,
    seed: int = 666,
) -> pd.DataFrame:
    """Crop and resize the images of a dataset and write its metadata with the split.

    Each image is cropped by the dataset's rule and resized so that its shorter side has each
    of the sizes. The metadata file is written last: where it is, the images are complete.

    Args:
        dataset: an entry of the catalogue.
        folder: the raw dataset.
        run: where images and metadata go.
        sizes: lengths of the shorter side in pixels.
        train_share: part of the images that goes to training.
        seed: of the split.

    Returns:
        The metadata: `image_id, identity, path`, `date` where the dataset has one, and `split`.

    Raises:
        UserError: the folder holds no image, or a file cannot be written.
    """
    if not sizes or any(size <= 0 for size in sizes):
        raise UserError(f"sizes must be one or more numbers of pixels, not {list(sizes)}")
    source = _open(dataset, folder)
    metadata = source.df.copy()
    metadata["path"] = [
        _prepared_name(dataset, row.path, row.image_id) for row in metadata.itertuples()
    ]
    metadata = splits.add_closed_set_split(metadata[dataset.columns], train_share, seed)
    targets = {size: run.images(size, dataset.name) for size in sizes}

    def write(index: int) -> None:
        image = crop(source, index, dataset.crop)
        for size, folder in targets.items():
            with whole_file(inside(folder, metadata["path"].iloc[index])) as temporary:
                Resize(size)(image).save(temporary)

    # Threads suffice: Pillow gives up the lock while it decodes, resizes and encodes.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        images = pool.map(write, range(len(source)))
        list(tqdm(images, dataset.name, len(source), mininterval=2, unit="image"))
    with whole_file(run.metadata(dataset.name)) as temporary:
        metadata.to_csv(temporary)
    return metadata


def _open(dataset: Dataset, folder: Path) -> "WildlifeDataset":
    """Read the catalogue of a raw dataset, with the loader's own crop rule where it has one."""
    rule = "full" if dataset.crop == "mask_then_crop_black" else dataset.crop
    try:
        source = dataset.loader(str(folder), img_load=rule)
    except Exception as error:  # loaders fail in many ways on an empty or foreign folder
        raise UserError(
            f"{shown(folder)} does not hold {dataset.name} as its download unpacks: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if len(source) == 0:
        raise UserError(f"{shown(folder)} holds no image of {dataset.name}")
    return source


def _prepared_name(dataset: Dataset, path: str, image_id: object) -> str:
    path = path.replace(os.sep, "/")
    if not dataset.unique_file_name:
        return path
    file = PurePosixPath(path)
    return str(file.with_name(f"{file.stem}_{image_id}{file.suffix}"))


def crop(source: "WildlifeDataset", index: int, rule: str) -> Image.Image:
    """Load one image and crop it by the dataset's rule.

    Args:
        source: a dataset of wildlife-datasets, opened with that rule.
        index: position of the image.
        rule: "full", "bbox" and "crop_black" are wildlife-datasets' own. "mask_then_crop_black"
            sets what lies outside the mask to black and cuts to what is not black; as in the
            published preparation, the last row and column of that box are left out.

    Returns:
        The image, RGB.
    """
    image = source[index]
    if rule != "mask_then_crop_black":
        return image
    mask = source.load_image(str(Path(source.root, source.df["segmentation"].iloc[index])))
    masked = np.asarray(image) * np.asarray(mask).astype(bool)
    rows, columns, _ = np.nonzero(masked)
    box = (columns.min(), rows.min(), columns.max(), rows.max())
    return Image.fromarray(masked).crop(box)


def draw_missing(run: Run, datasets: Sequence[str]) -> None:
    """Draw and prepare the drawn datasets that the run lacks, with the defaults of 1_prepare."""
    for name in datasets:
        dataset = catalogue.find(name)
        if dataset.is_drawn and not run.metadata(name).is_file():
            prepare(dataset, fetch(dataset, run.folder / "raw", download=True), run)


def aggregate(run: Run, datasets: Sequence[str]) -> pd.DataFrame:
    """Join the training parts of prepared datasets; write them where they have changed.

    Raises:
        UserError: a dataset has not been prepared.
    """
    combined = splits.aggregate({name: splits.read(run.metadata(name)) for name in datasets})
    text = combined.to_csv()
    if not run.combined.is_file() or run.combined.read_text() != text:
        with whole_file(run.combined) as temporary:
            temporary.write_text(text)
    return combined
