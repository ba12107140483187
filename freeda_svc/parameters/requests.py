"""A segmentation request, as a client asks it and as SQL keeps it."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from freeda_svc.errors import InputError
from freeda_svc.parameters.categories import Category, CategoryEntry, check_categories
from freeda_svc.parameters.model import Model
from freeda_svc.parameters.overrides import SegmentationOverrides
from freeda_svc.parameters.sentences import EXPECTED, SEVERAL

Channel = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[
    tuple[Channel, Channel, Channel],
    Field(
        strict=False,
        json_schema_extra={
            EXPECTED: "a list of 3 whole numbers from 0 to 255",
            SEVERAL: "colours of 3 whole numbers from 0 to 255",
        },
    ),
]
"""Red, green and blue."""


class SegmentationRequest(Model):
    """What holds for all images of a segmentation job: its bank, its categories, and how they are segmented."""

    bank: str = Field(
        default="", description="Bank whose prototypes are used, as in animals or animals@2; the usual when empty."
    )
    categories: tuple[CategoryEntry, ...] | None = Field(
        default=None,
        strict=False,
        json_schema_extra={EXPECTED: "a list of categories"},
        description="What to look for, in the order of the labels; where null, the bank proposes some for each image.",
    )
    overrides: SegmentationOverrides = Field(
        default=SegmentationOverrides(), description="Parameters that differ from the pack's."
    )
    colours: tuple[Colour, ...] = Field(
        default=(),
        strict=False,
        description="Red, green and blue of the first categories, where they are to have other colours than usual.",
    )
    explain: bool = Field(default=False, description="Whether evidence is kept of each image.")
    only_propose: bool = Field(
        default=False, description="Without categories: say what the bank proposes for each image, and segment none."
    )

    @field_validator("categories")
    @classmethod
    def _together(cls, categories: tuple[Category, ...] | None) -> tuple[Category, ...] | None:
        try:
            return None if categories is None else check_categories(categories)
        except InputError as error:
            raise ValueError(str(error)) from error

    @field_validator("only_propose")
    @classmethod
    def _nothing_named(cls, only_propose: bool, info: ValidationInfo) -> bool:
        if only_propose and info.data.get("categories") is not None:
            raise ValueError("categories are proposed where none are named; leave them out, or segment into them")
        return only_propose

    def kept(self) -> dict[str, Any]:
        """Return the request as SQL keeps it; ``read`` takes it back."""
        asked = {
            "bank": self.bank,
            "categories": None if self.categories is None else [category.given() for category in self.categories],
            "overrides": self.overrides.given(),
        }
        chosen = {
            "colours": [list(colour) for colour in self.colours],
            "explain": self.explain,
            "only_propose": self.only_propose,
        }
        return asked | {name: value for name, value in chosen.items() if value}
