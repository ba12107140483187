"""The parameters of segmentation: what a request may change, and what the pack has."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader
from freeda_svc.api.context import ServerContext
from freeda_svc.api.problems import problems
from freeda_svc.api.segmentations import MOST_CATEGORIES, MOST_IMAGES
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import PLACES, SegmentationOverrides, expectation, field_schema

router = APIRouter(tags=["segmentations"])

_BOUNDS = {"minimum": "minimum", "exclusiveMinimum": "above", "maximum": "maximum"}


class Parameter(BaseModel):
    """A parameter that a request may change."""

    name: str = Field(description="as a request gives it")
    type: Literal["integer", "number", "string", "array"] = Field(description="of its value, as JSON has it")
    default: Annotated[Any, Field(description="what the pack has, which holds where a request gives nothing")]
    description: str = Field(description="what it means")
    expected: str = Field(description="which values it takes, in words")
    unit: str | None = Field(description="of a number; null where it has none")
    choices: list[str] | None = Field(description="the values that it, or an entry of an array, takes; null for others")
    minimum: float | None = Field(description="a number's least value")
    above: float | None = Field(description="a number's bound below that is no value itself")
    maximum: float | None = Field(description="a number's largest value")


class Limits(BaseModel):
    """What one request may have at most."""

    images: int = Field(description="images")
    body_bytes: int = Field(description="bytes of its body")
    pixels: int = Field(description="pixels of an image")
    categories: int = Field(description="categories")


class Parameters(BaseModel):
    """All parameters that a segmentation may change, and what it may have at most."""

    pack: str = Field(description="whose defaults they are")
    bank: str = Field(description="whose prototypes are used where a request names no bank")
    parameters: list[Parameter] = Field(description="the most used first")
    limits: Limits = Field(description="of one submission of images")


@router.get("/v1/parameters", summary="List the parameters of segmentation", responses=problems(404, 422, 503))
def list_parameters(context: ServerContext, _access: Reader) -> Parameters:
    """List what a segmentation may change, with ranges, units and the pack's own values, and a request's limits."""
    settings = context.settings
    description = read_pack_parameters(settings.pack, settings.packs_folder)
    usual = description.parameters.segmentation.model_dump(mode="json")
    return Parameters(
        pack=description.name,
        bank=settings.bank,
        parameters=[_parameter(name, usual) for name in PLACES],
        limits=Limits(
            images=MOST_IMAGES,
            body_bytes=settings.api_max_body_bytes,
            pixels=settings.max_image_pixels,
            categories=MOST_CATEGORIES,
        ),
    )


def _parameter(name: str, usual: dict[str, Any]) -> Parameter:
    schema = field_schema(SegmentationOverrides, name)
    of_entries = schema.get("items", schema)
    default: Any = usual
    for part in PLACES[name]:
        default = default[part]
    return Parameter(
        name=name,
        type=schema["type"],
        default=default,
        description=schema["description"],
        expected=expectation(schema),
        unit=of_entries.get("unit") or schema.get("unit"),
        choices=of_entries.get("enum"),
        **{ours: of_entries.get(theirs) for theirs, ours in _BOUNDS.items()},
    )
