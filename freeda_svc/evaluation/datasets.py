"""Images with true labels."""

from dataclasses import dataclass
from pathlib import Path

from freeda_svc.evaluation.label_files import LabelValues
from freeda_svc.segmentation.categories import Category


@dataclass(frozen=True)
class LabelledImage:
    """An image and its true labels; the name is that of the image within its dataset, perhaps with folders."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class Dataset:
    """Images with true labels.

    Attributes:
        name: what the dataset is called.
        classes: the names of all classes, in the order of the labels.
        categories: what is asked for, in the same order; without the background.
        background: whether the first class is all that belongs to no other class, so that it is not asked for.
        images: in the order in which they are evaluated.
        values: which class each value of a label map means.
    """

    name: str
    classes: tuple[str, ...]
    categories: tuple[Category, ...]
    background: bool
    images: tuple[LabelledImage, ...]
    values: LabelValues
