"""Captions and exemplars as they are passed to a bank, checked."""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from freeda_svc.captions import LONGEST_CAPTION, Caption, CaptionTally, read_captions, take_caption
from freeda_svc.errors import InputError
from freeda_svc.images import DrawnOn
from freeda_svc.library.arguments import ImageLike, MaskLike, described, is_path, read_image, read_mask, to_path
from freeda_svc.prototypes.exemplar_files import in_sight, read_marked_images
from freeda_svc.prototypes.exemplars import Exemplar, make_exemplar


def read_bank_captions(
    captions: Iterable[str] | str | os.PathLike[str], tally: CaptionTally
) -> tuple[Iterator[Caption], int | None]:
    """Return captions, each once, and how many there are where that is known."""
    expected = "captions are a list of sentences, or the path of a caption file"
    if is_path(captions):
        path = to_path(captions)  # type: ignore[arg-type]
        if isinstance(captions, str) and (len(captions) > LONGEST_CAPTION or not path.exists()):
            raise InputError(f"{expected}; there is no file {described(captions)}; one caption is a list of one")
        return read_captions(path, tally=tally), None
    if isinstance(captions, bytes | Mapping) or not isinstance(captions, Iterable):
        raise InputError(f"{expected}, not {described(captions)}")
    total = len(captions) if isinstance(captions, list | tuple) else None
    return _take(captions, tally, expected), total


def _take(captions: Iterable[str], tally: CaptionTally, expected: str) -> Iterator[Caption]:
    seen: set[str] = set()
    for number, text in enumerate(captions, start=1):
        if not isinstance(text, str):
            raise InputError(f"{expected}; number {number} is {described(text)}")
        caption = take_caption(text, tally, any_language=False)
        if caption is not None and caption.id in seen:
            tally.repeated += 1
        elif caption is not None:
            seen.add(caption.id)
            yield caption


def read_exemplar(word: str, image: ImageLike, mask: MaskLike, caption: str, drawn_on: DrawnOn | None) -> Exemplar:
    """Read a picture that teaches a word; arguments and errors as of ``Bank.add_exemplar``."""
    if not isinstance(caption, str):
        raise InputError(f"the caption of an exemplar is a text, not {described(caption)}")
    if is_path(image) and is_path(mask):
        paths = [to_path(image)], [to_path(mask)]  # type: ignore[arg-type]
        (marked,) = islice(read_marked_images(word, *paths, caption, drawn_on=drawn_on), 1)
        return marked.exemplar()
    loaded = read_image(image)
    return make_exemplar(word, loaded.pixels, in_sight(read_mask(mask), loaded), caption)
