"""Names that a room shows, imported when they are first asked for: who needs one does without the others' libraries."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def names_from(room: str, places: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """Return what a room's ``__init__`` calls ``__getattr__`` (PEP 562).

    Args:
        room: the room's own name.
        places: its modules, each with the names that are found there.
    """
    modules = {name: module for module, names in places.items() for name in names}

    def find(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return find
