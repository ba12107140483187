"""Telling the one who waits how far it is."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Is called with the number of prototypes done so far and of all; what it raises ends the work."""


def say_nothing(_done: int, _total: int) -> None:
    """An `OnProgress` for those who do not wait."""
