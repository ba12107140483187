"""Segmenting a dataset and counting how its labels agree with the truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED, Dataset, LabelledImage
from freeda_svc.evaluation.kept_counts import KeptCounts
from freeda_svc.evaluation.metrics import ConfusionMatrix
from freeda_svc.evaluation.truth import OnProgress, check_same_size, read_truth
from freeda_svc.images import NO_REGION, PAPER, DrawnOn, ImageSource, LoadedImage, load_visible
from freeda_svc.parameters import SegmentationParameters

if TYPE_CHECKING:
    from freeda_svc.segmentation import Segmentation, Segmenter


@dataclass(frozen=True)
class ClassScore:
    """How one class did over all images.

    Attributes:
        name: of the class.
        iou: intersection over union, 0 to 1; None when it is neither in the truth nor predicted.
        accuracy: share of its true pixels that were found, 0 to 1; None when it is not in the truth.
        pixels: how many true pixels it has.
    """

    name: str
    iou: float | None
    accuracy: float | None
    pixels: int


@dataclass(frozen=True)
class Evaluation:
    """How a dataset was segmented; shares are 0 to 1.

    Attributes:
        dataset: its name.
        images: how many were evaluated.
        mean_iou: over the classes in truth or prediction; None when no pixel was counted.
        mean_accuracy: over the classes in the truth.
        pixel_accuracy: share of right pixels.
        classes: one score a class, in the order of the labels.
    """

    dataset: str
    images: int
    mean_iou: float | None
    mean_accuracy: float | None
    pixel_accuracy: float | None
    classes: tuple[ClassScore, ...]


def evaluate(
    segmenter: "Segmenter",
    dataset: Dataset,
    parameters: SegmentationParameters,
    *,
    kept: KeptCounts | None = None,
    limit: int | None = None,
    drawn_on: DrawnOn | None = None,
    true_regions: bool = False,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Segment a dataset's images at their own size, and compare every pixel with the truth.

    Args:
        segmenter: segments them.
        dataset: the images.
        parameters: how they are segmented.
        kept: where the counts of each image are kept; images found there are not segmented again.
        limit: how many images are evaluated, from the first on; all when None.
        drawn_on: on what the labels were drawn of images that have an EXIF orientation; the upright picture when None.
            ``check_dataset`` finds out whether that matters.
        true_regions: whether the true label maps give the regions of the images, which bounds what better regions
            than superpixels can give.
        on_progress: is called with how many images are done, of how many.

    Raises:
        InputError: an image or its labels cannot be read or differ in size, or pixels may be unknown in a dataset that
            has no background.
        UnavailableError: counts cannot be kept.
    """
    if parameters.unknown.way != "none" and not dataset.background:
        raise InputError(
            f"{dataset.name} has no class for what is unknown; leave unknown at none, or use a dataset with background"
        )
    total = _matrix(dataset)
    todo = []
    images = dataset.images[:limit]
    for image in images:
        counts = None if kept is None else kept.find(image.name, len(dataset.classes))
        if counts is None:
            todo.append(image)
        else:
            total.counts += counts
    done = len(images) - len(todo)
    _tell(on_progress, done, len(images))
    counted = _counted(segmenter, dataset, parameters, todo, kept=kept, drawn_on=drawn_on, true_regions=true_regions)
    for number, counts in enumerate(counted, start=done + 1):
        total.counts += counts
        _tell(on_progress, number, len(images))
    return _summed_up(dataset, len(images), total)


def _matrix(dataset: Dataset) -> ConfusionMatrix:
    return ConfusionMatrix(len(dataset.classes), ignore=IGNORED)


def _tell(on_progress: OnProgress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)


def _counted(
    segmenter: "Segmenter",
    dataset: Dataset,
    parameters: SegmentationParameters,
    images: list[LabelledImage],
    *,
    kept: KeptCounts | None,
    drawn_on: DrawnOn | None,
    true_regions: bool,
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the counts of each image, after they are kept."""
    # the truth says what every pixel is, so that of transparent images, too, all pixels get a label
    filled = parameters.replace(fill_transparent=parameters.fill_transparent or PAPER)
    sources: Iterator[ImageSource] = (
        _with_true_regions(dataset, image, drawn_on, filled) if true_regions else image.image for image in images
    )
    found = segmenter.segment_many(sources, dataset.categories, filled)
    for image, segmentation in zip(images, found, strict=True):
        matrix = _matrix(dataset)
        predicted = _classes(dataset, segmentation)
        truth = _truth(dataset, image, drawn_on)
        check_same_size(predicted.shape, truth.shape, image)
        matrix.add(truth, predicted)
        if kept is not None:
            kept.keep(image.name, matrix.counts)
        yield matrix.counts


def _truth(dataset: Dataset, image: LabelledImage, drawn_on: DrawnOn | None) -> npt.NDArray[np.int64]:
    return read_truth(dataset, image, drawn_on) if drawn_on == "stored" else dataset.values.read(image.labels)


def _with_true_regions(
    dataset: Dataset, image: LabelledImage, drawn_on: DrawnOn | None, parameters: SegmentationParameters
) -> LoadedImage:
    """Read an image with its true label map as regions; pixels that are not counted belong to none."""
    loaded, truth = load_visible(image.image, parameters.fill_transparent), _truth(dataset, image, drawn_on)
    check_same_size(loaded.pixels.shape[:2], truth.shape, image)
    return replace(loaded, regions=np.where(truth == IGNORED, NO_REGION, truth).astype(np.int32))


def _classes(dataset: Dataset, segmentation: "Segmentation") -> npt.NDArray[np.int32]:
    """The class of each pixel; with a background, what is unknown becomes it: -1 moves to 0, and all others by one."""
    return segmentation.labels + np.int32(1) if dataset.background else segmentation.labels


def _summed_up(dataset: Dataset, images: int, total: ConfusionMatrix) -> Evaluation:
    pixels = total.counts.sum(axis=1).tolist()
    shares = zip(total.iou().tolist(), total.accuracy().tolist(), strict=True)
    return Evaluation(
        dataset=dataset.name,
        images=images,
        mean_iou=_known(total.mean_iou()),
        mean_accuracy=_known(total.mean_accuracy()),
        pixel_accuracy=_known(total.pixel_accuracy()),
        classes=tuple(
            ClassScore(name, _known(iou), _known(accuracy), count)
            for name, (iou, accuracy), count in zip(dataset.classes, shares, pixels, strict=True)
        ),
    )


def _known(share: float) -> float | None:
    return None if np.isnan(share) else share
