"""Names that a room shows, imported when they are first used, so that nobody waits for libraries that are not needed.

A room lists its names once, as imports that only type checkers follow::

    # mypy: implicit-reexport
    if TYPE_CHECKING:
        from freeda_svc.jobs.control import cancel_job, find_job
    else:
        __getattr__, __all__ = shown_names(__name__, __file__)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

_IMPORT = re.compile(r"^    from (\S+) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)


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


def shown_names(room: str, file: str) -> tuple[Callable[[str], object], list[str]]:
    """Return what a room's ``__init__`` calls ``__getattr__`` and ``__all__``, read from its imports for type checkers.

    The source is searched and not parsed, which would take longer than importing the room.

    Args:
        room: the room's own name.
        file: its ``__init__.py``.
    """
    block = Path(file).read_text("utf-8").partition("\nif TYPE_CHECKING:\n")[2].partition("\nelse:\n")[0]
    places = {module: re.findall(r"\w+", several or one) for module, several, one in _IMPORT.findall(block)}
    return names_from(room, places), sorted(name for names in places.values() for name in names)
