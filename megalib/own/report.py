"""What reading one's own pictures gathers on its way: what was understood, what was left out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from megalib.errors import told

EXAMPLES = 3  # that a sentence names
REASONS = 12  # that a report names


@dataclass(frozen=True)
class LeftOut:
    """A line or file that is not read: where it is, the picture's path ("" if none), and why.

    `is_usual` says that it needs no look: hidden files, and what programs keep.
    """

    where: str
    path: str
    reason: str
    is_usual: bool = False


@dataclass
class Notes:
    """Sentences about what was understood, doubts, and all that is left out."""

    understood: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave_out(self, where: str, path: str, reason: str, is_usual: bool = False) -> None:
        """Note that a line or a file is not read."""
        self.left_out.append(LeftOut(where, path, reason, is_usual))


def listed(names: Iterable[str], most: int = EXAMPLES) -> str:
    """A few names, in quotes, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(told(name) for name in names[:most]) + more


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 photograph", "2 photographs"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def left_out_in_words(left_out: list[LeftOut]) -> list[str]:
    """Sentences about what is left out: each reason once, with how often and where."""
    reasons = Counter(one.reason for one in left_out)
    lines = []
    for reason, count in reasons.most_common(REASONS):
        where = listed([one.where or one.path for one in left_out if one.reason == reason])
        lines.append(f"{count} left out, {reason}: {where}")
    further = reasons.most_common()[REASONS:]
    if further:
        number = sum(count for _, count in further)
        lines.append(f"{number} left out for {len(further)} other reasons")
    return lines
