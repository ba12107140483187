"""The true classes of an image's pixels, and a check of a whole dataset before long work begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED, Dataset, LabelledImage
from freeda_svc.images import DrawnOn, is_drawn_on_stored, is_upright, read_frame

OnProgress = Callable[[int, int], None]

_NAMES_SHOWN = 20
_VALUES_SHOWN = 3


def read_truth(dataset: Dataset, image: LabelledImage, drawn_on: DrawnOn | None = None) -> npt.NDArray[np.int64]:
    """Read the true classes of an image's pixels, upright.

    Args:
        dataset: says what the values of label maps mean.
        image: one of its images; only its header is read.
        drawn_on: on what the label maps were drawn of images that have an EXIF orientation, where they have none.

    Returns:
        (H, W) int64 of the upright image's size, from 0, or ``IGNORED``.

    Raises:
        InputError: image or labels cannot be read, they differ in size, a value means nothing, or the image is turned
            and it was not given on what its labels were drawn.
    """
    truth, frame = dataset.values.read(image.labels), read_frame(image.image)
    size = truth.shape[0], truth.shape[1]
    # a label map with an orientation of its own is upright by now
    said = drawn_on if is_upright(image.labels) else "upright"
    stored = is_drawn_on_stored(frame, size, said, image=image.image, marks=f"the label map {image.labels}")
    check_same_size(frame.stored_size if stored else frame.size, size, image)
    return frame.turn(truth) if stored else truth


def check_same_size(seen: tuple[int, ...], labelled: tuple[int, ...], image: LabelledImage) -> None:
    """Check that an image of this height and width has one label per pixel.

    Raises:
        InputError: its labels are of another size.
    """
    if seen != labelled:
        raise InputError(
            f"{image.image} is {seen[1]} x {seen[0]}, but its labels {image.labels} are {labelled[1]} x {labelled[0]}; "
            "expected one label per pixel"
        )


@dataclass(frozen=True, eq=False)
class TruePixels:
    """What the label maps of some images hold.

    Attributes:
        classes: (n,) int64, how many pixels each class has.
        ignored: how many pixels are not counted.
    """

    classes: npt.NDArray[np.int64]
    ignored: int

    def remark(self, dataset: Dataset) -> str:
        """Say which classes no label map holds, and what is not counted; empty where there is nothing to say."""
        absent = [name for name, count in zip(dataset.classes, self.classes, strict=True) if not count]
        if not absent:
            return ""
        names = ", ".join(absent[:_NAMES_SHOWN])
        more = f" and {len(absent) - _NAMES_SHOWN} more" if len(absent) > _NAMES_SHOWN else ""
        said = f"no true pixel of {len(absent)} of {len(dataset.classes)} classes: {names}{more}"
        if not self.ignored:
            return said
        share = self.ignored / (self.ignored + int(self.classes.sum()))
        values = dataset.values.ignored
        named = f" ({', '.join(map(str, values))})" if len(values) <= _VALUES_SHOWN else ""
        return f"{said}; {self.ignored:,} pixels ({share:.0%}) have a value that is not counted{named}"


def check_dataset(
    dataset: Dataset,
    images: Sequence[LabelledImage],
    drawn_on: DrawnOn | None = None,
    on_progress: OnProgress | None = None,
) -> TruePixels:
    """Read all label maps and the headers of all images, so that what cannot be used is known before long work.

    Args:
        dataset: the images' own.
        images: those that are to be evaluated.
        drawn_on: as ``read_truth`` takes it.
        on_progress: is called with how many images were looked at, of how many.

    Raises:
        InputError: as from ``read_truth``, for the first image of which something cannot be used.
    """
    counts = np.zeros(len(dataset.classes) + 1, dtype=np.int64)
    for number, image in enumerate(images):
        if on_progress is not None:
            on_progress(number, len(images))
        counts += np.bincount((read_truth(dataset, image, drawn_on) - IGNORED).ravel(), minlength=len(counts))
    if on_progress is not None:
        on_progress(len(images), len(images))
    return TruePixels(counts[1:], int(counts[0]))
