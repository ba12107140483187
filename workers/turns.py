"""Whose turn it is between items: images go first, but no endless stream of them keeps the others waiting for ever."""

from collections.abc import Sequence

from freeda_svc.jobs import JobKind

TURN_SECONDS = 60.0
"""So long images are done one after another before another kind of item of the same priority goes first, once."""


class Turns:
    """Which kinds of items of equal priority go first (decision 13); it begins with the images' turn."""

    def __init__(self) -> None:
        self._seconds_of_images = 0.0

    def order(self, kinds: Sequence[JobKind]) -> list[JobKind]:
        """Return kinds that are given in their usual order, those first whose turn it is."""
        if self._seconds_of_images < TURN_SECONDS:
            return list(kinds)
        return sorted(kinds, key=lambda kind: kind is JobKind.SEGMENT)

    def note(self, kind: JobKind | None, seconds: float) -> None:
        """Note what was claimed in this order, and how long it took.

        Args:
            kind: of the item; None when nothing waited.
            seconds: how long it took.
        """
        if kind is not JobKind.SEGMENT or self._seconds_of_images >= TURN_SECONDS:  # or nothing else waited
            self._seconds_of_images = 0.0
        if kind is JobKind.SEGMENT:
            self._seconds_of_images += seconds
