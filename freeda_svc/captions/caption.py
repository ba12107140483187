"""Captions and the nouns mentioned in them."""

import hashlib
from dataclasses import dataclass

Span = tuple[int, int]


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
    """Fold white space and give the caption its id; None when nothing is left."""
    folded = " ".join(text.split())
    if not folded:
        return None
    return Caption(hashlib.sha256(folded.encode("utf-8")).hexdigest()[:16], folded)
