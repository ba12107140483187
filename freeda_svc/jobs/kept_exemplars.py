"""Exemplars among the artifacts: images and masks copied at submission, read when their item is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from freeda_svc.artifacts import open_artifacts
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules
from freeda_svc.jobs.input_images import keep_bytes, keep_image
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.prototypes import Exemplar, MarkedImage

Kept = Mapping[str, str]
"""What the database knows of an exemplar: noun, caption, image and mask below the artifact root, the image's name."""


@dataclass(frozen=True)
class CheckedExemplar:
    """An exemplar that was read and found good, with its mask as PNG, which takes little memory."""

    noun: str
    caption: str
    image: Path
    mask: bytes


def check_exemplars(marked: Iterable["MarkedImage"]) -> list[CheckedExemplar]:
    """Read all exemplars before anything is copied.

    Raises:
        InputError: one of them is not usable, or there is none.
    """
    checked = [CheckedExemplar(one.noun, one.caption, one.image, _png(one.mask)) for one in marked]
    if not checked:
        raise InputError("no exemplars were given; give at least one image with its mask")
    return checked


def keep_exemplar(settings: Settings, exemplar: CheckedExemplar, rules: InputRules) -> dict[str, str]:
    """Copy an exemplar into the artifacts; equal images and masks are kept once.

    Args:
        settings: the installation.
        exemplar: which.
        rules: where its image has to lie.

    Raises:
        InputError: the image cannot be read any more.
        UnavailableError: the copies cannot be written.
    """
    return {
        "noun": exemplar.noun,
        "caption": exemplar.caption,
        "image": keep_image(settings, exemplar.image, rules),
        "mask": keep_bytes(settings, exemplar.mask, ".png"),
        "name": exemplar.image.name,
    }


def read_kept_exemplar(settings: Settings, kept: Kept) -> "Exemplar":
    """Read an exemplar from the artifacts.

    Raises:
        InputError: image or mask cannot be read; the message calls the image as it was called at submission.
        NotFoundError, UnavailableError: they cannot be fetched.
    """
    from freeda_svc.images import read_mask  # noqa: PLC0415 - listing jobs does without it
    from freeda_svc.prototypes import MarkedImage  # noqa: PLC0415 - as above

    artifacts, rules = open_artifacts(settings), settings.input_rules.anywhere()
    image = artifacts.local(kept["image"])
    try:
        mask = read_mask(artifacts.local(kept["mask"]), rules)
        return MarkedImage(kept["noun"], image, mask, kept["caption"]).exemplar(rules)
    except InputError as error:
        raise InputError(str(error).replace(str(image), kept["name"])) from error


def _png(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bytes:
    from PIL import Image  # noqa: PLC0415 - as above

    content = BytesIO()
    Image.fromarray(mask).save(content, format="PNG")
    return content.getvalue()
