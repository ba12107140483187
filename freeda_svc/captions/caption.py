"""Captions and the nouns mentioned in them."""

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
