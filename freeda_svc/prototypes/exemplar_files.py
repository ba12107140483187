"""Exemplars from pairs of image and mask files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.images import read_image, read_mask, upright_size
from freeda_svc.prototypes.exemplars import Exemplar, make_exemplar, tidy_caption, tidy_noun


@dataclass(frozen=True, eq=False)
class MarkedImage:
    """An image file with the mask of what a noun names in it; the image is read when the exemplar is asked for.

    Attributes:
        noun: what the mask shows, tidied.
        image: the file.
        mask: (H, W) bool, of the image's height and width, upright.
        caption: a sentence about the image, tidied.
    """

    noun: str
    image: Path
    mask: npt.NDArray[np.bool_]
    caption: str

    def exemplar(self) -> Exemplar:
        """Read the image.

        Raises:
            InputError: it cannot be read, is of another size than the mask, or ``make_exemplar`` refuses it.
        """
        pixels = read_image(self.image)
        try:
            return make_exemplar(self.noun, pixels, self.mask, self.caption)
        except InputError as error:
            raise InputError(f"{self.image}: {error}") from error


def read_marked_images(
    noun: str, images: Sequence[Path], masks: Sequence[Path], caption: str = ""
) -> Iterator[MarkedImage]:
    """Read masks and put each with its image, the first with the first and so on.

    Args:
        noun: what all masks show.
        images: image files.
        masks: as many mask files, see ``freeda_svc.images.read_mask``.
        caption: a sentence about all images; empty when there is none.

    Yields:
        Marked images, in order.

    Raises:
        InputError: noun or caption are not usable, there are no images, another number of masks, a file cannot be
            read, or a mask is empty or of another size than its image; names the file.
    """
    noun = tidy_noun(noun)
    caption = tidy_caption(caption, noun)
    if not images:
        raise InputError("no images were given; give at least one image with its mask")
    if len(images) != len(masks):
        raise InputError(
            f"{len(images)} images and {len(masks)} masks were given; give one mask an image, in the same order"
        )
    for image, mask_file in zip(images, masks, strict=True):
        height, width = upright_size(image)
        mask = read_mask(mask_file)
        if mask.shape != (height, width):
            raise InputError(
                f"the mask {mask_file} is {mask.shape[1]} x {mask.shape[0]} pixels, but its image {image} "
                f"{width} x {height}; give a mask of the image's own size"
            )
        yield MarkedImage(noun, image, mask, caption)
