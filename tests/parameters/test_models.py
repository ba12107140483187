"""Models, their JSON schemas and the sentences about values that cannot be used agree."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.errors import InputError
from freeda_svc.parameters import (
    AttributionParameters,
    GenerationParameters,
    GpuMemory,
    Model,
    PackFile,
    PackParameters,
    PieceParameters,
    ProposalParameters,
    PrototypeParameters,
    RecipeFile,
    RefinementParameters,
    SegmentationOverrides,
    SegmentationParameters,
    SegmentationRequest,
    SuperpixelParameters,
    UnknownParameters,
    field_schema,
)

MODELS = (
    AttributionParameters,
    GenerationParameters,
    GpuMemory,
    PieceParameters,
    ProposalParameters,
    PrototypeParameters,
    RefinementParameters,
    SuperpixelParameters,
    UnknownParameters,
    SegmentationOverrides,
)
FULL: dict[type[Model], dict[str, Any]] = {
    GenerationParameters: {"steps": 1, "guidance_scale": 1.0, "height": 1, "width": 1, "batch_size": 1},
    PrototypeParameters: {"gamma": 0.5, "alpha": 0.5},
    SuperpixelParameters: {"algorithm": "none", "scale": 1.0, "sigma": 1.0, "min_size": 1},
}
IN_WORDS = ("attribution", "fill_transparent")
"""Fields of which a schema of one field does not say everything."""
TOP = (PackFile, RecipeFile, SegmentationRequest, SegmentationOverrides, PackParameters)


def fields_of(models: tuple[type[Model], ...]) -> Iterator[tuple[type[Model], str]]:
    return ((model, name) for model in models for name in model.model_fields)


SCHEMAS = {(model, name): field_schema(model, name) for model, name in fields_of(MODELS) if name not in IN_WORDS}


def bounds(schema: dict[str, Any]) -> list[float]:
    found = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"))
    return [bound + step for bound in found if bound is not None for step in (-1, -0.5, 0, 0.5, 1)]


def values_for(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values near the ends of the range, of every kind that JSON has."""
    whole = schema.get("type") == "integer"
    near = [int(value) if whole and value == int(value) else value for value in bounds(schema)]
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number % 1 != 0)
    others = st.sampled_from(["", "x", True, False, *schema.get("enum", ()), *near])
    single = numbers | others
    return single | st.lists(st.integers(-2, 600) | single, max_size=20) if schema.get("type") == "array" else single


VALIDATORS = {place: jsonschema.Draft202012Validator(schema) for place, schema in SCHEMAS.items()}
VALUES = {place: values_for(schema) for place, schema in SCHEMAS.items()}


@pytest.mark.parametrize(("model", "name"), [*SCHEMAS])
@given(data=st.data())
def test_a_model_takes_exactly_what_its_schema_admits(model: type[Model], name: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[model, name])
    admitted = VALIDATORS[model, name].is_valid(value)
    values = {**FULL.get(model, {}), name: value}
    if not admitted:
        with pytest.raises(InputError, match=rf"^{name} (is|holds) .*, but must be .*\Z"):
            model.read(values)
        return
    read = model.read(values)
    assert read.model_dump(mode="json")[name] == value
    assert model.read(read.model_dump(mode="json")) == read


@pytest.mark.parametrize("model", TOP)
def test_schemas_are_valid_and_closed_and_every_field_is_described(model: type[Model]) -> None:
    schema = model.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["additionalProperties"] is False
        assert part["description"].endswith(".")
        for name, declared in part["properties"].items():
            assert "$ref" in declared or declared["description"].endswith("."), name


GOOD = SegmentationParameters(
    k=350,
    beta=0.8,
    short_side=448,
    long_side=2048,
    window=448,
    stride=224,
    superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
)


@pytest.mark.parametrize("changes", [{"beta": 0.0}, {"beta": 1}, {"k": 1}, {"stride": 448}, {"long_side": 448}])
def test_ends_of_the_ranges_are_fine(changes: dict[str, float]) -> None:
    assert GOOD.replace(**changes).model_dump().items() >= changes.items()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("k", 0, "k is 0, but must be a whole number of at least 1"),
        ("beta", 1.1, "beta is 1.1, but must be a number from 0 to 1"),
        ("beta", float("nan"), "beta is nan, but must be a number from 0 to 1"),
        ("long_side", 447, "long_side is 447, but must be at least short_side, 448, and at most 16384"),
        ("stride", 449, "stride is 449, but must be from 1 to window, 448, or pixels would be left out"),
        ("window_way", "other", "window_way is 'other', but must be one of sliding, whole"),
        (
            "fill_transparent",
            "whit",
            "fill_transparent is 'whit', but must be a colour such as white or #ff8000, or empty",
        ),
        (
            "fill_transparent",
            "#ffffff80",
            "fill_transparent is '#ffffff80', but must be a colour such as white or #ff8000",
        ),
        (
            "superpixels",
            {"algorithm": "none"},
            "superpixels.scale is missing: give a number above 0 and at most 1000000",
        ),
        ("strides", 5, "there is no parameter 'strides'; did you mean stride?"),
        ("window", "x" * 50, f"window is '{'x' * 40}'... (50 characters), but must be a whole number of pixels of at"),
    ],
)
def test_values_out_of_range_are_refused_in_one_sentence(name: str, value: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        GOOD.replace(**{name: value})
    assert str(caught.value).startswith(sentence)
    with pytest.raises(InputError) as made:
        SegmentationParameters(
            **{**{key: getattr(GOOD, key) for key in SegmentationParameters.model_fields}, name: value}
        )
    assert str(made.value) == str(caught.value)


def test_parameters_are_immutable_and_hashable() -> None:
    with pytest.raises(Exception, match="frozen"):
        GOOD.k = 3  # type: ignore[misc]
    assert hash(GOOD) == hash(GOOD.replace(k=350))
