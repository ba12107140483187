"""Exemplars from pairs of image and mask files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.images import (
    DrawnOn,
    LoadedImage,
    coco_mask,
    doubt_about_mask,
    is_drawn_on_stored,
    is_upright,
    load_visible,
    read_frame,
    read_mask,
)
from freeda_svc.input_files import ANYWHERE, InputRules
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

    def exemplar(self, rules: InputRules = ANYWHERE) -> Exemplar:
        """Read the image; what is transparent in it belongs to no object.

        Args:
            rules: where the image has to lie, and how many pixels it may have.

        Raises:
            InputError: it cannot be read, is of another size than the mask, shows nothing under it, or
                ``make_exemplar`` refuses it.
        """
        image = load_visible(self.image, rules=rules)
        try:
            return make_exemplar(self.noun, image.pixels, in_sight(self.mask, image), self.caption)
        except InputError as error:
            raise InputError(f"{self.image}: {error}") from error


def in_sight(mask: npt.NDArray[np.bool_], image: LoadedImage) -> npt.NDArray[np.bool_]:
    """Take the pixels out of a mask that are transparent in its image.

    Args:
        mask: (H, W) bool.
        image: the image it was drawn on.

    Raises:
        InputError: all of them are.
    """
    if image.visible is None or image.visible.shape != mask.shape:
        return mask
    seen = mask & image.visible
    if not seen.any():
        raise InputError("the image is transparent wherever its mask marks it; give one that shows the object")
    return seen


def read_marked_images(
    noun: str,
    images: Sequence[Path],
    masks: Sequence[Path],
    caption: str = "",
    *,
    drawn_on: DrawnOn | None = None,
    rules: InputRules = ANYWHERE,
    doubts: list[str] | None = None,
) -> Iterator[MarkedImage]:
    """Read masks and put each with its image, the first with the first and so on.

    Args:
        noun: what all masks show.
        images: image files.
        masks: as many mask files, see ``freeda_svc.images.read_mask``.
        caption: a sentence about all images; empty when there is none.
        drawn_on: on what the masks were drawn of images that have an EXIF orientation, where the masks have none.
        rules: where images and masks have to lie, and how many pixels they may have.
        doubts: gets a line for each mask that seems to mark the background, see ``doubt_about_mask``.

    Yields:
        Marked images, in order.

    Raises:
        InputError: noun or caption are not usable, there are no images, another number of masks, a file cannot be
            read, a mask is empty or of another size than its image, or an image is turned and ``drawn_on`` is missing;
            names the file.
    """
    noun = tidy_noun(noun)
    caption = tidy_caption(caption, noun)
    if not images:
        raise InputError("no images were given; give at least one image with its mask")
    if len(images) != len(masks):
        raise InputError(
            f"{counted(len(images), 'image')} and {counted(len(masks), 'mask')} were given; "
            "give one mask per image, in the same order"
        )
    for image, mask_file in zip(images, masks, strict=True):
        frame, mask = read_frame(image, rules), read_mask(mask_file, rules)
        # a mask with an orientation of its own is upright by now
        said = drawn_on if is_upright(mask_file, rules) else "upright"
        stored = is_drawn_on_stored(frame, mask.shape, said, image=image, marks=f"the mask {mask_file}")
        height, width = frame.stored_size if stored else frame.size
        if mask.shape != (height, width):
            raise InputError(
                f"the mask {mask_file} is {mask.shape[1]} x {mask.shape[0]} pixels, but its image {image} "
                f"{width} x {height}; give a mask of the image's own size"
            )
        doubt = doubt_about_mask(mask)
        if doubt and doubts is not None:
            doubts.append(f"the mask {mask_file} {doubt}")
        yield MarkedImage(noun, image, frame.turn(mask) if stored else mask, caption)


def read_segmented_image(
    noun: str,
    image: Path,
    segmentation: object,
    caption: str = "",
    *,
    drawn_on: DrawnOn | None = None,
    rules: InputRules = ANYWHERE,
) -> MarkedImage:
    """Put an image with what a COCO segmentation marks in it.

    Args:
        noun: what is marked.
        image: the image file.
        segmentation: polygons or runs, as ``freeda_svc.images.coco_mask`` takes them.
        caption: a sentence about the image; empty when there is none.
        drawn_on: on what it was drawn where the image has an EXIF orientation.
        rules: where the image has to lie, and how many pixels it may have.

    Raises:
        InputError: noun or caption are not usable, the image cannot be read, the segmentation is none, marks nothing or
            does not fit the image, or the image is turned and ``drawn_on`` is missing; names the image.
    """
    noun = tidy_noun(noun)
    caption = tidy_caption(caption, noun)
    frame = read_frame(image, rules)
    marks = f"the segmentation of {image}"
    stored = is_drawn_on_stored(frame, None, drawn_on, image=image, marks=marks)
    height, width = frame.stored_size if stored else frame.size
    try:
        mask = coco_mask(segmentation, height, width)
    except InputError as error:
        raise InputError(f"{image}: {error}") from error
    if not mask.any():
        raise InputError(f"{marks} marks no pixel; draw it on the object")
    return MarkedImage(noun, image, frame.turn(mask) if stored else mask, caption)
