"""Tables of a TOML file as dataclasses, with messages that name the file and the key."""

from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from freeda_svc.errors import InputError

T = TypeVar("T")

_NAMES = {int: "a positive whole number", float: "a number", str: "a text", bool: "true or false"}
_LISTS = {str: "a list of texts", int: "a list of positive whole numbers"}
_FROM_ZERO = frozenset({"attribution.blocks", "attribution.steps"})
_SHARES = frozenset({"gamma", "alpha", "beta"})


def read_table(kind: type[T], table: object, path: Path, prefix: str) -> T:
    """Build a dataclass from a table that has exactly its fields; those with a default may be left out.

    Args:
        kind: a dataclass whose fields are whole numbers (all positive), numbers (none negative), texts, truth values,
            literals, tuples of texts or of whole numbers, or such dataclasses.
        table: what the file holds in that place.
        path: the file, for messages.
        prefix: the table's own key with a dot at its end; empty at the top.

    Raises:
        InputError: a key is missing, unknown or of the wrong type or range.
    """
    if not isinstance(table, dict):
        raise InputError(f"{path}: the table {prefix.rstrip('.')} is missing")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(table.keys() - set(names))
    if unknown:
        raise InputError(f"{path}: unknown key {prefix}{unknown[0]}; expected {', '.join(names)}")
    values: dict[str, Any] = {}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}  # type: ignore[arg-type]
    for name in names:
        if name in optional and name not in table:
            continue
        if is_dataclass(hints[name]):
            values[name] = read_table(hints[name], table.get(name), path, f"{prefix}{name}.")
        elif name not in table:
            raise InputError(f"{path}: the key {prefix}{name} is missing")
        else:
            values[name] = _read_value(hints[name], table[name], path, f"{prefix}{name}")
    return kind(**values)


def _read_value(kind: Any, value: object, path: Path, key: str) -> object:  # noqa: ANN401  (a type hint)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            known = ", ".join(filter(None, get_args(kind)))
            raise InputError(f"{path}: {key} must be one of {known}, not {value!r}")
        return value
    if get_origin(kind) is tuple:
        entry_kind = get_args(kind)[0]
        from_zero = ".".join(key.split(".")[-2:]) in _FROM_ZERO
        usable = isinstance(value, list) and all(type(entry) is entry_kind for entry in value)
        if not usable or (entry_kind is int and min(value, default=1) < (not from_zero)):  # type: ignore[call-overload]
            expected = "a list of whole numbers from 0" if from_zero else _LISTS[entry_kind]
            raise InputError(f"{path}: {key} must be {expected}, not {value!r}")
        return tuple(value)  # type: ignore[arg-type]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise InputError(f"{path}: {key} must be {_NAMES[kind]}, not {value!r}")
    if kind is int and isinstance(value, int) and value < 1:
        raise InputError(f"{path}: {key} must be {_NAMES[int]}, not {value!r}")
    if isinstance(value, float) and not 0 <= value < float("inf"):
        raise InputError(f"{path}: {key} must be a number of at least 0, not {value!r}")
    if isinstance(value, float) and key.rpartition(".")[2] in _SHARES and value > 1:
        raise InputError(f"{path}: {key} must be between 0 and 1, not {value!r}")
    return value
