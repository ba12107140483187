"""What a vocabulary is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.parameters import Category


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The classes of a dataset.

    Attributes:
        name: what it is called here, such as ``voc20``.
        title: what a person calls it.
        names: the N classes as the dataset calls them, in the order of its labels.
        texts: the same as a person would write them: ``dining table`` for ``diningtable``.
        colours: (N, 3) uint8, RGB, as the dataset's classes are usually shown; some palettes repeat a colour.
        ignore: the label of pixels that belong to no class.
        background: whether the first class is all that belongs to no other class.
    """

    name: str
    title: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    colours: npt.NDArray[np.uint8]
    ignore: int
    background: bool

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes as categories to find: called as in the dataset, asked for as a person would write them."""
        return tuple(
            Category(name, text=None if text == name else text)
            for name, text in zip(self.names, self.texts, strict=True)
        )
