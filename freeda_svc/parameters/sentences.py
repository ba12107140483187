"""What is wrong with a value, in one sentence: its name, what it was, and what it must be.

What it must be is read from the JSON schema of the model that declares it, so that sentence, help and schema agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

LONGEST_SHOWN = 40
"""A longer text is cut where it is quoted, characters."""
UNIT, EXPECTED, SEVERAL, OWNER, CALLED, WRITE_ONLY = "unit", "expected", "several", "owner", "called", "writeOnly"
"""What models add to their JSON schemas: a number's unit; what a value must be in words, and several of it; what comes
before the names of a model's fields instead of the path to them, and what such a name is called; and that a value is a
secret, which no sentence shows (JSON Schema's own word)."""

_OUT_OF_RANGE = "out_of_range"
_PREDICATE = "predicate"
_PLURALS = {"integer": "whole numbers", "number": "numbers", "string": "texts", "boolean": "truth values"}
_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "object": "a table",
}


def out_of_range(name: str, value: object, expected: str) -> PydanticCustomError:
    """Return what a validator raises where a field does not go together with another one.

    Args:
        name: of the field, in the model that the validator belongs to.
        value: what it is.
        expected: what it must be, to follow "must be".
    """
    context = {"name": name, "value": value, "expected": expected}
    return PydanticCustomError(_OUT_OF_RANGE, "out of range", context)


def unusable() -> PydanticCustomError:
    """Return what a validator raises where a value is not what its field's schema says in words (``expected``)."""
    return PydanticCustomError("unusable", "unusable")


def about_field(predicate: str) -> PydanticCustomError:
    """Return what a validator of a field raises with words of its own.

    Args:
        predicate: the rest of the sentence behind the field's name, such as ``lists 'a' twice; list it once``.
    """
    return PydanticCustomError(_PREDICATE, "unusable", {"predicate": predicate})


def sentence_of(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Say what is wrong in one sentence: the name, what the value was, and its range or choices.

    Unknown names come first, with the nearest known one: a mistyped name leaves another one out.

    Args:
        error: what pydantic found.
        model: the model that refused the values.
        prefix: comes before each name, such as ``parameters.``.
    """
    found = first_of(error)
    kind = found["type"]
    if kind == "value_error":  # raised by our validators, as a whole sentence
        return str(found["ctx"]["error"])
    schema = _schema_of(model)
    if kind == "extra_forbidden":
        *parts, last = found["loc"]
        owner = _at(schema, parts)
        name = str(last) if OWNER in owner else f"{prefix}{_dotted(parts)}{last}"
        return unknown_name(name, owner.get("properties", {}), owner.get(CALLED, ""))
    if kind == _OUT_OF_RANGE:
        context = found["ctx"]
        name = f"{prefix}{_dotted(found['loc'])}{context['name']}"
        return wrong_value(name, context["value"], context["expected"])
    if kind == _PREDICATE:
        return f"{prefix}{_dotted(found['loc'])[:-1]} {found['ctx']['predicate']}"
    return _about_field(found, schema, prefix)


def first_of(error: ValidationError) -> ErrorDetails:
    """Return what ``sentence_of`` is about: the first unknown name, or else the first wrong value."""
    return min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")


def wrong_value(name: str, value: object, expected: str) -> str:
    """Return the sentence about a value that cannot be used."""
    return f"{name} is {shown(value)}, but must be {expected}"


def unknown_name(name: str, known: Iterable[str], called: str = "") -> str:
    """Return the sentence about a name that does not exist, with the nearest one, or with all where none is near.

    Args:
        name: what was given; its last part behind a dot is compared with those that exist.
        known: the names that exist.
        called: what such a name is; a parameter when empty.
    """
    names = list(known)
    alike = get_close_matches(name.rpartition(".")[2], names, n=1)
    hint = f"did you mean {alike[0]}?" if alike else f"known are {', '.join(names)}"
    return f"there is no {called or 'parameter'} {shown(name)}; {hint}"


def shown(value: object) -> str:
    """Return a value as it is quoted in a sentence: short, and on one line."""
    if isinstance(value, tuple):
        value = list(value)
    text = repr(value)
    if len(text) <= LONGEST_SHOWN + 2:
        return text
    if isinstance(value, str):
        return f"{value[:LONGEST_SHOWN]!r}... ({len(value)} characters)"
    return f"{text[:LONGEST_SHOWN]}..."


def expectation(schema: Mapping[str, Any]) -> str:
    """Say in words what a JSON schema admits, to follow "must be": ``a whole number from 1 to 16``.

    Args:
        schema: of one field, without references.
    """
    schema = _without_null(schema)
    if EXPECTED in schema:
        return str(schema[EXPECTED])
    if "enum" in schema or "const" in schema:
        return f"one of {', '.join(filter(None, schema.get('enum', [schema.get('const')])))}"
    if schema.get("type") == "array":
        return _list_expectation(schema)
    return f"{_NAMES.get(str(schema.get('type')), 'another value')}{_unit(schema)}{_range(schema)}"


def limits(schema: Mapping[str, Any]) -> str:
    """Say in words which numbers a JSON schema admits: ``from 1 to 16``; empty where it admits all."""
    least, above, most, below = (
        schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    )
    if least is not None and most is not None:
        return f"from {_number(least)} to {_number(most)}"
    if least is not None and below is not None:
        return f"from {_number(least)} to below {_number(below)}"
    bounds = (("at least", least), ("above", above), ("at most", most), ("below", below))
    return " and ".join(f"{word} {_number(bound)}" for word, bound in bounds if bound is not None)


def field_schema(model: type[BaseModel], *names: str) -> dict[str, Any]:
    """Return the JSON schema of the field that a path of names leads to: its range, default, unit and description."""
    return _at(_schema_of(model), names)


@lru_cache(maxsize=32)
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model; making it takes longer than all else that options say of their values."""
    return model.model_json_schema()


def _about_field(found: ErrorDetails, schema: Mapping[str, Any], prefix: str) -> str:
    parts, entry = list(found["loc"]), None
    if len(parts) > 1 and isinstance(parts[-1], int) and _at(schema, parts).get("type") != "object":
        entry = parts.pop()  # the range of a list's entries is that of the list
    if not parts:
        return f"{shown(found['input'])} is given where a table with {', '.join(schema.get('properties', {}))} is meant"
    declared = _at(schema, parts)
    expected = expectation(declared)
    name = _named(parts, schema, prefix)
    if entry is not None and found["type"] == "missing":
        return f"{name} is too short, but must be {expected}"
    if found["type"] == "missing":
        return f"{name} is missing: give {expected}"
    if declared.get(WRITE_ONLY):
        return f"{name} must be {expected}"
    if entry is not None:
        return f"{name} holds {shown(found['input'])}, but must be {expected}"
    return wrong_value(name, found["input"], expected)


def _named(parts: Sequence[int | str], schema: Mapping[str, Any], prefix: str) -> str:
    """Return what the value at a path is called; some models name their fields without the path to them."""
    *owners, last = parts
    owner = _at(schema, owners)
    return f"{owner[OWNER]}{last}" if OWNER in owner else f"{prefix}{_dotted(owners)}{last}"


def _dotted(parts: Iterable[int | str]) -> str:
    return "".join(f"{part}." for part in parts)


def _at(schema: Mapping[str, Any], parts: Iterable[int | str]) -> dict[str, Any]:
    """Return the schema of what a path of names and numbers leads to; empty where it leads nowhere."""
    here: Mapping[str, Any] = schema
    for part in parts:
        here = _resolved(here, schema)
        if isinstance(part, int):
            entries = here.get("prefixItems", ())
            here = entries[part] if part < len(entries) else here.get("items", {})
        else:
            here = here.get("properties", {}).get(part) or here.get("additionalProperties") or {}
            here = here if isinstance(here, Mapping) else {}
    return _resolved(here, schema)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    schema = _without_null(schema)
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].rpartition("/")[2]]
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    if "items" in schema and isinstance(schema["items"], Mapping):
        return {**schema, "items": _resolved(schema["items"], root)}
    return dict(schema)


def _without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **options[0]}


def _unit(schema: Mapping[str, Any]) -> str:
    return f" of {schema[UNIT]}" if UNIT in schema else ""


def _list_expectation(schema: Mapping[str, Any]) -> str:
    items = schema.get("items", {})
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    size = "" if most is None else f" {least} to {most}" if least else f" at most {most}"
    ending = f", at least {least} of them" if least and most is None else ""
    if "enum" in items:
        return f"a list of{size or ' some'} of {', '.join(items['enum'])}{ending}"
    if SEVERAL in items:
        return f"a list of{size} {items[SEVERAL]}{ending}"
    plural = _PLURALS.get(str(items.get("type")), "tables")
    return f"a list of{size} {plural}{_unit(items)}{_range(items)}{ending}"


def _range(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "string":
        least, most = schema.get("minLength"), schema.get("maxLength")
        return f" of {least or 0} to {most} characters" if most else " that is not empty" if least else ""
    limited = limits(schema)
    return f" of {limited}" if limited.startswith("at ") else f" {limited}" if limited else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
