"""The parameters that a request may change: those of a pack's segmentation by flat names, such as ``superpixel_scale``.

All of it follows from ``SegmentationParameters``: names, ranges, units and descriptions.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Optional

from pydantic import ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from freeda_svc.parameters.model import Model
from freeda_svc.parameters.segmentation import (
    RefinementParameters,
    RegionParameters,
    SegmentationParameters,
    SuperpixelParameters,
    UnknownParameters,
)
from freeda_svc.parameters.sentences import OWNER

_TABLES: Mapping[str, tuple[type[Model], str, str]] = {
    "regions": (RegionParameters, "way", "region"),
    "superpixels": (SuperpixelParameters, "algorithm", "superpixel"),
    "unknown": (UnknownParameters, "way", "unknown"),
    "refinement": (RefinementParameters, "way", "refinement"),
}
"""The tables among the parameters: their model, the field that is called like the table, and how others begin."""
_LOCAL_THRESHOLD = ("unknown", "local_threshold")
"""Follows ``unknown_threshold``: only a pack sets the thresholds of the ways apart."""


def _declared() -> Iterator[tuple[str, tuple[str, ...], FieldInfo]]:
    """Yield the flat name, the place in the tables, and the declaration of every parameter."""
    for name, field in SegmentationParameters.model_fields.items():
        if name not in _TABLES:
            yield name, (name,), field
            continue
        model, main, beginning = _TABLES[name]
        for inner, declared in model.model_fields.items():
            if (name, inner) != _LOCAL_THRESHOLD:
                yield name if inner == main else f"{beginning}_{inner}", (name, inner), declared


PLACES: Mapping[str, tuple[str, ...]] = {name: place for name, place, _ in _declared()}
"""Where each parameter that a request may change is in the tables of a pack, by its flat name."""


def _optional(field: FieldInfo) -> Any:  # noqa: ANN401 - a field as create_model takes it
    kind: Any = field.annotation
    checked = Annotated[kind, Field(), *field.metadata]
    return Annotated[
        Optional[checked],  # noqa: UP045 - the type is only known here
        Field(description=field.description, json_schema_extra=field.json_schema_extra),
    ], None


_Fields: Any = create_model("_Fields", __base__=Model, **{name: _optional(field) for name, _, field in _declared()})


class SegmentationOverrides(_Fields):  # type: ignore[misc]
    """The parameters of a request that differ from the pack's; those that are not given stay as the pack has them."""

    model_config = ConfigDict(json_schema_extra={OWNER: ""})

    def given(self) -> dict[str, Any]:
        """Return the parameters that are given, as JSON holds them."""
        return dict(self.model_dump(mode="json", exclude_none=True))

    def over(self, parameters: SegmentationParameters) -> SegmentationParameters:
        """Put these parameters over those of a pack.

        Raises:
            InputError: they do not go together, such as a stride that is larger than the window.
        """
        tables: dict[str, dict[str, Any]] = {}
        changes: dict[str, Any] = {}
        for name, place in PLACES.items():
            value = getattr(self, name)
            if value is not None:
                here = changes if len(place) == 1 else tables.setdefault(place[0], {})
                here[place[-1]] = value
        if "threshold" in tables.get("unknown", {}):
            tables["unknown"]["local_threshold"] = tables["unknown"]["threshold"]
        for name, inner in tables.items():
            changes[name] = getattr(parameters, name).replace(**inner)
        return parameters.replace(**changes)
