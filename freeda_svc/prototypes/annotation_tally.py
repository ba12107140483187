"""What of a COCO annotation file was left out, and why."""

from collections import Counter
from collections.abc import Mapping

CROWDS = "crowds"
EMPTY = "empty masks"
NO_MASK = "annotations without a usable mask"
STRAY = "polygons of less than three corners"
UNKNOWN_IMAGE = "annotations of images that are not listed"
UNKNOWN_CATEGORY = "annotations of categories that are not listed"
TWICE = "entries whose id another one has"
UNUSABLE = "rows that cannot be read"
CAPTION = "captions that cannot be used"

_ADVICE: Mapping[str, str] = {
    CROWDS: "annotation tools export every brush mask as a crowd; --take-crowds takes them",
    NO_MASK: "exemplars need masks, boxes are not enough",
}


class AnnotationTally:
    """Counts that grow while annotations are read, by reason; the first of each is named."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def note(self, reason: str, which: str, count: int = 1) -> None:
        """Count something that was left out.

        Args:
            reason: one of this module's.
            which: names it, with its place in the file and what is wrong with it.
            count: how many there are of the kind.
        """
        self._counts[reason] += count
        self._first.setdefault(reason, which)

    @property
    def left_out(self) -> dict[str, int]:
        """How many were left out, by reason; reasons that did not occur are missing."""
        return dict(self._counts)

    def lines(self) -> list[str]:
        """Say for each reason how many were left out, which was the first, and what to do where that is known."""
        return [
            f"{count} {reason}, {'the first: ' if count > 1 else ''}{self._first[reason]}"
            + (f" ({_ADVICE[reason]})" if reason in _ADVICE else "")
            for reason, count in self._counts.items()
        ]
