"""Is this training finished? Its facts, beside the weights, say what made them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from megalib import stamp
from megalib.data.images import check_is_there
from megalib.files.places import Run, inside, shown
from megalib.flavours import Flavour, Recipe
from megalib.models import devices, export
from megalib.models.tensors import SeededImageFiles
from megalib.training import beginning


def facts_of(
    flavour: Flavour,
    recipe: Recipe,
    images: SeededImageFiles,
    seed: int,
    start: str,
    precision: str,
) -> dict[str, Any]:
    """All that decides the weights: network, recipe, images, labels, seed, precision, and code.

    Of the images it takes names and sizes in bytes, since reading all of them takes minutes.

    Raises:
        UserError: an image is missing.
    """
    network = asdict(flavour)
    del network["stands_for"]  # which decides no weight
    lines = []
    for path, label in zip(images.paths, images.labels, strict=True):
        file = inside(images.folder, path)
        check_is_there(file)
        lines.append(f"{path} {label} {file.stat().st_size}")
    return stamp.as_read(
        {
            **network,
            **asdict(recipe),
            "seed": seed,
            "start": beginning.start_in_words(start),
            "precision": precision,
            "images": len(images),
            "digest of the images": stamp.digest(lines),
            "code": stamp.of_code("training.loop"),
        }
    )


def is_finished(flavour: Flavour, run: Run, facts: dict[str, Any]) -> bool:
    """Whether the run holds weights that this recipe made of these images; says what it finds.

    Where only the code has changed since, a pocket network is trained anew, so that the demo shows
    what its code does. Weights of a MegaDescriptor may have taken days: they are kept, and that
    their code was another is said.
    """
    folder = run.weights(flavour.name)
    known = _facts_beside(folder)
    if not known:
        return False
    theirs = {name: known.get(name) for name in facts}
    same_code = theirs["code"] == facts["code"]
    differs = stamp.differences(facts | {"code": theirs["code"]}, theirs)
    finished = not differs and (same_code or flavour.scale == "published")
    if not finished:
        what = f"weights of another training ({differs or 'code'}) will be replaced"
    elif same_code:
        what = "trained by this recipe on these images, kept"
    else:
        what = "trained by this recipe on these images but by other code, kept; to train anew, "
        what += "type -p resume never"
    if devices.is_first_process():
        print(f"{shown(folder)}: {what}")
    return finished


def _facts_beside(folder: Path) -> dict[str, Any]:
    """What made the weights of a folder; nothing where it is not complete, which is said."""
    if not (folder / export.STAMP).is_file():
        return {}
    facts = stamp.read(folder / export.STAMP)
    missing = [name for name in export.NEEDED if not (folder / name).is_file()]
    if not facts:
        missing = [f"a readable {export.STAMP}"]
    if missing and devices.is_first_process():
        print(f"{shown(folder)} lacks {', '.join(missing)}: it is trained again")
    return {} if missing else facts
