"""Captions, the nouns mentioned in them, and counts of what was read and left out."""

import hashlib
import unicodedata
from dataclasses import dataclass

Span = tuple[int, int]

LONGEST_CAPTION = 1000
"""Characters of the longest caption that is taken; a text encoder reads a tenth of that."""

LONGEST_TEXT = 1 << 16
"""Of a text that is looked at for a caption: white space that is folded may make it longer than a caption."""

MOST_CAPTIONS = 100_000_000
"""Of a file."""

_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")


@dataclass(frozen=True)
class Caption:
    """A sentence that describes an image.

    Attributes:
        id: sixteen hexadecimal digits that follow from the text, so equal captions are one caption.
        text: the sentence, white space folded, never empty.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Noun:
    """A noun of a caption.

    Attributes:
        text: the noun in lower case and singular, the word its prototypes are stored under.
        spans: character ranges (start, end) of all its mentions in the caption, in order.
    """

    text: str
    spans: tuple[Span, ...]


def make_caption(text: str) -> Caption | None:
    """Tidy a caption and give it its id; None when nothing is left.

    White space and control characters are folded into single spaces, what has no width and half characters (lone
    surrogates) are dropped, and accents are composed (Unicode's form NFC), so texts that look alike are one caption.
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", "".join(map(_tidy, text)))
    folded = " ".join(text.split())
    if not folded:
        return None
    return Caption(hashlib.sha256(folded.encode("utf-8")).hexdigest()[:16], folded)


def _tidy(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Cc":
        return " "
    # joiners of letters and of pictures have no width, but a meaning
    return "" if category in {"Cf", "Cs"} and letter not in _KEPT_FORMAT_CHARACTERS else letter


@dataclass
class CaptionTally:
    """Counts that grow while captions are read.

    Attributes:
        read: all captions met.
        empty: those with nothing in them.
        too_long: those of more than ``LONGEST_CAPTION`` characters.
        malformed: rows of a table with more fields than it has columns, so that it is unknown which is the caption.
        foreign: those that look like another language than English.
        repeated: those met before.
    """

    read: int = 0
    empty: int = 0
    too_long: int = 0
    malformed: int = 0
    foreign: int = 0
    repeated: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """How many were left out, by reason; reasons that did not occur are missing."""
        counts = {
            "empty": self.empty,
            "too long": self.too_long,
            "malformed": self.malformed,
            "not English": self.foreign,
            "repeated": self.repeated,
        }
        return {reason: count for reason, count in counts.items() if count}
