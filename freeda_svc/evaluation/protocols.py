"""The paper's evaluation protocol, dataset by dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from freeda_svc.errors import NotFoundError
from freeda_svc.evaluation.datasets import Dataset
from freeda_svc.evaluation.layouts import (
    Found,
    list_ade,
    list_cityscapes,
    list_coco_object,
    list_coco_stuff,
    list_context,
    list_voc,
)
from freeda_svc.parameters import Category, SegmentationParameters, SuperpixelParameters, UnknownParameters
from freeda_svc.vocabularies import Vocabulary, load_vocabulary

K = 350
SHORT_SIDE, LONG_SIDE, WINDOW, STRIDE = 448, 2048, 448, 224
BETA, BETA_OF_VOC = 0.8, 0.7
UNKNOWN_THRESHOLD = 0.4

Texts = Literal["names", "readable"]
"""Classes are asked for by the names of the dataset, as for the published numbers, or as a person writes them."""


@dataclass(frozen=True)
class Protocol:
    """How the paper evaluates a dataset.

    Attributes:
        vocabulary: whose classes are evaluated.
        list_images: finds the images of a folder.
        scale: of Felzenszwalb's algorithm.
        sigma: of Felzenszwalb's algorithm.
        min_size: of Felzenszwalb's algorithm.
        beta: weight of the local similarity, eq. 5.
    """

    vocabulary: str
    list_images: Callable[[Path], Found]
    scale: float
    sigma: float
    min_size: int
    beta: float = BETA

    def dataset(self, folder: Path, texts: Texts = "names") -> Dataset:
        """Find the dataset's images in a folder.

        Args:
            folder: in which the dataset lies as it is published.
            texts: how classes are asked for.

        Raises:
            InputError: a file is not where it should be; the message names it.
        """
        vocabulary = load_vocabulary(self.vocabulary)
        found = self.list_images(folder)
        return Dataset(
            name=vocabulary.name,
            classes=vocabulary.names,
            categories=_asked(vocabulary, texts),
            background=vocabulary.background,
            images=found.images,
            values=found.values,
        )

    def parameters(self, given: SegmentationParameters) -> SegmentationParameters:
        """Return the paper's parameters for the dataset; ``given`` are those of a pack.

        Where the background is a class, it is what no category's final score of 0.4 reaches.
        """
        background = load_vocabulary(self.vocabulary).background
        return given.replace(
            k=K,
            beta=self.beta,
            short_side=SHORT_SIDE,
            long_side=LONG_SIDE,
            window=WINDOW,
            stride=STRIDE,
            superpixels=SuperpixelParameters(
                algorithm="felzenszwalb", scale=self.scale, sigma=self.sigma, min_size=self.min_size
            ),
            unknown=UnknownParameters(way="channel" if background else "none", threshold=UNKNOWN_THRESHOLD),
        )


def _asked(vocabulary: Vocabulary, texts: Texts) -> tuple[Category, ...]:
    categories = vocabulary.categories if texts == "readable" else tuple(map(Category, vocabulary.names))
    return categories[1:] if vocabulary.background else categories


PROTOCOLS: Mapping[str, Protocol] = {
    "voc20": Protocol("voc20", partial(list_voc, background=False), 100.0, 0.7, 20, BETA_OF_VOC),
    "voc21": Protocol("voc21", partial(list_voc, background=True), 100.0, 0.7, 20, BETA_OF_VOC),
    "context59": Protocol("context59", partial(list_context, background=False), 100.0, 1.0, 20),
    "context60": Protocol("context60", partial(list_context, background=True), 100.0, 1.0, 20),
    "coco-stuff171": Protocol("coco-stuff171", list_coco_stuff, 100.0, 1.0, 100),
    "coco-object80": Protocol("coco-object80", partial(list_coco_object, background=False), 100.0, 1.0, 100),
    "coco-object81": Protocol("coco-object81", partial(list_coco_object, background=True), 100.0, 1.0, 100),
    "cityscapes19": Protocol("cityscapes19", list_cityscapes, 20.0, 0.5, 50),
    "ade150": Protocol("ade150", list_ade, 100.0, 1.0, 20),
}


def load_protocol(name: str) -> Protocol:
    """Return how the paper evaluates a dataset.

    Args:
        name: of its vocabulary.

    Raises:
        NotFoundError: there is none of that name; the message names all.
    """
    if name not in PROTOCOLS:
        raise NotFoundError(f"there is no dataset {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
