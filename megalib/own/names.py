"""Names of animals and words for sides, without accidents of typing."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

import yaml

from megalib.files.places import DATA

UNKNOWN = "unknown"
WORDS = DATA / "words"
# Letters that nobody sees and that mean nothing: blanks of no width, marks of direction and of byte
# order, soft hyphens. Joiners are kept, since some scripts need them.
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """A text in Unicode form C, without invisible letters; each run of blanks is one blank."""
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def folded(text: str) -> str:
    """A text by which words are compared: without case, and one blank for all punctuation."""
    plain = unicodedata.normalize("NFKC", clean(text)).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", plain).split())


@cache
def _nobody() -> frozenset[str]:
    lines = (WORDS / "nobody.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(folded(line) for line in lines if not line.startswith("#"))


def is_nobody(text: str) -> bool:
    """Whether a name says that nobody knows who it is; one without letters and digits does."""
    word = folded(text)
    return not word or word in _nobody()


@cache
def _sides() -> dict[str, str]:
    words = yaml.safe_load((WORDS / "sides.yaml").read_text(encoding="utf-8"))
    return {folded(word): side for side, several in words.items() for word in several}


def side(text: str) -> str:
    """The side of an animal that a word means, such as "left"; "" where it says nothing.

    A word that is in no list stays as it is, in lower case.
    """
    word = folded(text)
    return "" if word in _nobody() else _sides().get(word, word)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Different names that differ only in case, blanks, punctuation or accents, in groups."""
    groups = defaultdict(set)
    for name in names:
        letters = unicodedata.normalize("NFKD", folded(name).replace(" ", ""))
        groups["".join(x for x in letters if not unicodedata.combining(x))].add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
