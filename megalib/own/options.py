"""What a user may say about a folder or a list of pictures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What a user may say about a folder or a list of pictures.

    `individual_level` is the sub-folder that names the individual, 1 the outermost;
    `detection_threshold` the confidence from which a detection counts; `part` takes one part alone
    ("train" or "test") of a list that has a split.
    """

    individual_level: int = 1
    detection_threshold: float = 0.2
    part: str = ""
