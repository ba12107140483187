"""Progress of long work, as notebooks and terminals show it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, steps: int = 1, /) -> object:
        """Move it by some steps."""


@contextmanager
def progress_bar(label: str, total: int | None, unit: str, *, shown: bool) -> Iterator[Advance]:
    """Show a bar on standard error, or as a widget in a notebook that has widgets, as long as the block lasts.

    Args:
        label: what is going on.
        total: how many steps there are; None where it is not known.
        unit: what a step is.
        shown: whether there is a bar at all.

    Yields:
        What moves it.
    """
    if not shown:
        yield lambda _steps=1: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is shown

    with tqdm(total=total, desc=label, unit=unit) as bar:
        yield bar.update
