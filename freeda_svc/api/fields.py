"""The fields of requests: typed values from the texts of a form or a query, or from JSON, for a model that checks them.

A submission is sent in any of these ways and is always the same: what is wrong is said in the same sentence.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import Field

from freeda_svc.errors import InputError
from freeda_svc.jobs import Priority
from freeda_svc.parameters import EXPECTED, Model, field_schema

REQUEST = "request"
"""The field of a form that holds all others as one JSON object."""
SEPARATOR = "separator"
"""What a model adds to the JSON schema of a list whose entries are not separated by commas where it is a text."""
ANY = ""
_TRUE, _FALSE = frozenset(("true", "yes", "on", "1")), frozenset(("false", "no", "off", "0"))

Fields = TypeVar("Fields", bound="SubmissionFields")
Checked = TypeVar("Checked", bound=Model)


class SubmissionFields(Model):
    """What every submission may say."""

    bank: str = Field(
        default="", description="Name of the bank, as in animals or animals@2; the server's usual one when empty."
    )
    priority: Literal["low", "normal", "high"] = Field(
        default="normal", description="Of waiting items those of a higher priority begin first."
    )
    callback: str = Field(
        default="", description="Address to which the end of the job is posted; its host must be one the server lists."
    )

    @property
    def rank(self) -> Priority:
        """The priority as jobs have it."""
        return Priority[self.priority.upper()]


class ImageFields(SubmissionFields):
    """What every submission of images may say."""

    urls: tuple[str, ...] = Field(
        default=(),
        strict=False,
        json_schema_extra={SEPARATOR: "\n", EXPECTED: "a list of addresses"},
        description="Addresses of further images, which the server fetches; their hosts must be ones it lists. "
        "In a form JSON, or lines.",
    )


def read_fields(model: type[Fields], texts: Mapping[str, str], more: Mapping[str, Any] | None = None) -> Fields:
    """Read the fields of a request.

    Args:
        model: says which there are.
        texts: by their names; blank ones were left out. A list is written as JSON, or with commas.
        more: further fields, typed, as JSON holds them.

    Raises:
        InputError: a field is unknown, given twice, or of a wrong value.
    """
    values = dict(more or {})
    for name, text in texts.items():
        given = _read_object(text, f"the field {REQUEST}") if name == REQUEST else {name: _typed(model, name, text)}
        for key, value in given.items():
            if key in values:
                raise InputError(f"the parameter {key!r} is given twice; give it once")
            is_listed = isinstance(value, str) and _kind(model, key)["type"] == "array"
            values[key] = _typed(model, key, value) if is_listed else value
    return model.read(values)


def read_query(model: type[Checked], texts: Mapping[str, str]) -> Checked:
    """Read the fields of a model from a query that has others, too.

    Args:
        model: says which there are.
        texts: all of the query, by name.

    Raises:
        InputError: a field is of a wrong value.
    """
    return model.read({name: _typed(model, name, texts[name]) for name in model.model_fields if name in texts})


def read_json(text: str | bytes, what: str) -> Any:  # noqa: ANN401 - of any kind
    """Read JSON that came from outside.

    Raises:
        InputError: it is none, or an object names something twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{what} is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"{what} is not valid JSON: {error}") from error


def _read_object(text: str, what: str) -> dict[str, Any]:
    found = read_json(text, what)
    if not isinstance(found, dict):
        raise InputError(f'{what} must be a JSON object, such as {{"categories": ["ball", "sky"]}}')
    return found


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the parameter {twice!r} is given twice; give it once")
    return found


def _refuse(constant: str) -> float:
    raise InputError(f"{constant} is no number that JSON knows")


def _typed(model: type[Model], name: str, text: str) -> Any:  # noqa: ANN401 - of any kind
    """Return the value that a text stands for; the text itself where it stands for none, so that the model refuses."""
    kind = _kind(model, name)
    if kind["type"] == "array":
        if text.lstrip().startswith("["):
            return read_json(text, f"the parameter {name!r}")
        parts = (part.strip() for part in text.split(kind["separator"]))
        return [_scalar(name, kind["items"], part) for part in parts if part or kind["separator"] == ","]
    return _scalar(name, kind["type"], text)


def _scalar(name: str, kind: str, text: str) -> Any:  # noqa: ANN401 - of any kind
    if kind == ANY:
        return read_json(text, f"the parameter {name!r}") if text[:1] in {"{", "["} else text
    if kind == "boolean":
        folded = text.strip().casefold()
        return True if folded in _TRUE else False if folded in _FALSE else text
    readers: Sequence[type[int] | type[float]] = {"integer": (int,), "number": (int, float)}.get(kind, ())
    for read in readers:
        with suppress(ValueError):
            return read(text)
    return text


@cache
def _kind(model: type[Model], name: str) -> Mapping[str, str]:
    """Return the type that JSON Schema gives a field, and of a list that of its items and what separates them."""
    schema = field_schema(model, name)
    return {
        "type": schema.get("type", ANY),
        "items": schema.get("items", {}).get("type", "string"),
        SEPARATOR: schema.get(SEPARATOR, ","),
    }
