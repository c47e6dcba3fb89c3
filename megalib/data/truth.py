"""What is known of drawn animals and never of photographs: `truth.csv` beside the metadata.

The columns are described in `megalib.drawn.croissant`. A table of images gets them by
`metadata.join(read_truth(run, dataset), on="image_id")`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torchvision.transforms import Resize

from megalib.data import loaders
from megalib.data.catalogue import Dataset, find
from megalib.data.metadata import AGAIN
from megalib.data.preparing import cropping
from megalib.data.wildlife import WildlifeDataset
from megalib.errors import UserError, told
from megalib.files.places import Run, shown
from megalib.files.writing import whole_file

IN_METADATA = ["path", "identity", "date"]


def write(run: Run, dataset: Dataset, source: WildlifeDataset, image_ids: Sequence[str]) -> None:
    """Write the truth of prepared images, in their order; nothing for photographs."""
    if dataset.is_drawn:
        rows = source.table("truth.csv").loc[list(image_ids)].drop(columns=IN_METADATA)
        with whole_file(run.truth(dataset.name)) as temporary:
            rows.to_csv(temporary)


def read_truth(run: Run, dataset: str) -> pd.DataFrame:
    """Read what is known of the prepared images of drawn animals.

    Args:
        run: that holds them.
        dataset: name of the dataset.

    Returns:
        Indexed by `image_id`: `animal` (the own name also of strangers), `family, species, flank`;
        `yaw, pitch, bend` in degrees; `day, encounter, station` as numbers; `light`; `wet` and
        `mud` from 0 to 1; `scars`; `motion` in pixels; `hidden_by` ("" for nothing) and `hidden`,
        the share; `pixels` along the longer side; `mask`, its file in the raw dataset.

    Raises:
        UserError: the animals were not drawn, or the file is missing or cannot be read.
    """
    file = run.truth(_drawn(dataset).name)
    try:
        rows = pd.read_csv(file, dtype={"image_id": str}, keep_default_na=False)
        return rows.set_index("image_id")
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot read {shown(file)} ({reason}): {AGAIN}") from error


def mask(run: Run, dataset: str, image_id: str, size: int, raw: Path | None = None) -> np.ndarray:
    """Say which pixels of a prepared image show its animal.

    The raw mask is cut and resized as the image was: it takes that way as its fourth channel.

    Args:
        run: that holds the image.
        dataset: name of a drawn dataset.
        image_id: of the image.
        size: that was prepared, pixels along the shorter side.
        raw: folder of all raw datasets; None is `raw/` inside the run.

    Returns:
        float32 (height, width) as the image: 1 the animal, 0 everything else; between
        at its rim and in mist.

    Raises:
        UserError: the animals were not drawn, the drawing is not there, or there is no such image.
    """
    entry = _drawn(dataset)
    source = loaders.open_raw(entry, entry.folder(raw or run.raw()))
    rows = np.flatnonzero(source.df["image_id"] == image_id)
    if not len(rows):
        raise UserError(f"{dataset} has no image {told(image_id)}")
    row = int(rows[0])
    picture, file = source.get_image(row), source.df["segmentation"].iloc[row]
    picture.putalpha(source.load_image(str(Path(source.root, file))).convert("L"))
    image = Resize(size)(cropping.crop(source, picture, row, entry.crop))
    return np.float32(image.getchannel("A")) / 255


def _drawn(dataset: str) -> Dataset:
    entry = find(dataset)
    if not entry.is_drawn:
        raise UserError(f"{dataset} holds photographs: the truth is known of drawn animals only")
    return entry
