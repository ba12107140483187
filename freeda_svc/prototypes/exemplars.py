"""A person's own images and masks, of which prototypes are made where no diffusion model can draw a class."""

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.captions import LONGEST_CAPTION, Span, make_caption
from freeda_svc.errors import InputError

LONGEST_NOUN = 200
"""Characters of the longest noun of an exemplar, as many as the text of a category may have."""

_RGB_IMAGE, _MASK = 3, 2


@dataclass(frozen=True, eq=False)
class Exemplar:
    """An image in which a person has marked what a noun means. ``make_exemplar`` makes one and checks it.

    Attributes:
        id: sixteen hexadecimal digits that follow from pixels, mask and caption, so equal exemplars are one.
        noun: the word or phrase, lower case, white space folded.
        pixels: (H, W, 3) uint8, RGB.
        mask: (H, W) bool, where the object is; at least one pixel.
        caption: a sentence about the image that may mention the noun.
    """

    id: str
    noun: str
    pixels: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    caption: str


def make_exemplar(noun: str, pixels: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], caption: str = "") -> Exemplar:
    """Check and tidy an exemplar.

    Args:
        noun: what the mask shows, as a category will later be asked for; it is put into lower case, but not into the
            singular, for the word is the person's own.
        pixels: (H, W, 3) uint8, RGB.
        mask: (H, W) bool, of the same height and width.
        caption: a sentence about the image; see ``tidy_caption`` for what it is when empty.

    Returns:
        The exemplar.

    Raises:
        InputError: the noun is empty or too long, the caption is too long, the image has another shape or type, or the
            mask is of another size or empty.
    """
    name = tidy_noun(noun)
    if pixels.ndim != _RGB_IMAGE or pixels.shape[2] != _RGB_IMAGE or pixels.dtype != np.uint8 or not pixels.size:
        raise InputError(f"an exemplar's image must be (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
    if mask.ndim != _MASK or mask.dtype != np.bool_:
        raise InputError(f"an exemplar's mask must be (H, W) bool, not {mask.shape} {mask.dtype}")
    if mask.shape != pixels.shape[:2]:
        raise InputError(
            f"the mask is {mask.shape[1]} x {mask.shape[0]} pixels, but its image {pixels.shape[1]} x "
            f"{pixels.shape[0]}; give a mask of the image's own size"
        )
    if not mask.any():
        raise InputError("the mask is empty; mark the object's pixels")
    said = tidy_caption(caption, name)
    return Exemplar(_identify(pixels, mask, said), name, pixels, mask, said)


def tidy_noun(noun: str) -> str:
    """Return an exemplar's noun as it is stored: lower case, white space folded.

    Raises:
        InputError: it is empty or too long.
    """
    tidied = make_caption(noun)
    if tidied is None:
        raise InputError("an exemplar's noun is empty; name what its mask shows with a word or a short phrase")
    if len(tidied.text) > LONGEST_NOUN:
        raise InputError(
            f"an exemplar's noun has {len(tidied.text)} characters, at most {LONGEST_NOUN} are taken: "
            f"{tidied.text[:40]!r}...; shorten it to a word or a short phrase"
        )
    return tidied.text.lower()


def tidy_caption(caption: str, noun: str) -> str:
    """Return an exemplar's caption as it is stored; where there is none it is ``a photo of the NOUN``.

    A caption counts a tenth of the key. The plain one adds nothing that would lead the key away from the noun's own
    embedding, so for a category of that name an exemplar comes before what was generated from captions with more in
    them.

    Args:
        caption: a sentence, or nothing.
        noun: the exemplar's, tidied.

    Raises:
        InputError: it is too long.
    """
    said = make_caption(caption)
    text = f"a photo of the {noun}" if said is None else said.text
    if len(text) > LONGEST_CAPTION:
        raise InputError(f"the caption has {len(text)} characters, at most {LONGEST_CAPTION} are taken; shorten it")
    return text


def _identify(pixels: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], caption: str) -> str:
    digest = hashlib.sha256(repr(mask.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    digest.update(np.packbits(mask).data)
    digest.update(caption.encode("utf-8"))
    return digest.hexdigest()[:16]


def find_mentions(noun: str, caption: str) -> tuple[Span, ...]:
    """Return the character ranges (start, end) of a noun in a caption, as whole words in upper or lower case."""
    pattern = re.compile(rf"(?<!\w){re.escape(noun)}(?!\w)", re.IGNORECASE)
    return tuple(found.span() for found in pattern.finditer(caption))
