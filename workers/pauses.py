"""Pauses of a long item: moments in which its code can stand still, so that its worker does something shorter.

The code that does an item says when (`pause`); whoever began the item says what happens then (`pausing`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Callable[[], None] | None] = ContextVar("what is done in pauses of the current item", default=None)


@contextmanager
def pausing(do: Callable[[], None] | None) -> Iterator[None]:
    """Have something done in the pauses of what the block does; None for nothing."""
    token = _current.set(do)
    try:
        yield
    finally:
        _current.reset(token)


def pause() -> None:
    """Do what is to be done in pauses of the current item; outside of one, nothing.

    Raises:
        SoftTimeLimitExceeded: the item's time is over.
    """
    do = _current.get()
    if do is not None:
        do()
