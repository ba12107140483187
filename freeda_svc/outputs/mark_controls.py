"""The controls of Label Studio with which regions of images are marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class MarkKind(StrEnum):
    """How a control marks regions, as results call it."""

    BRUSH = "brushlabels"
    POLYGON = "polygonlabels"
    RECTANGLE = "rectanglelabels"


@dataclass(frozen=True)
class MarkControl:
    """A control of a labelling configuration, with which regions of an image are marked.

    Attributes:
        name: of its tag.
        image: the name of the image's tag.
        kind: what it marks with.
        labels: what results call each category that it has, by the category's name.
    """

    name: str
    image: str
    kind: MarkKind
    labels: Mapping[str, str]
