"""What was read and what was left out."""

from dataclasses import dataclass


@dataclass
class CaptionTally:
    """Counts that grow while captions are read.

    Attributes:
        read: all captions met.
        empty: those with nothing in them.
        too_long: those of more than ``LONGEST_CAPTION`` characters.
        malformed: rows of a table with more fields than it has columns: it cannot be told which is the caption.
        foreign: those that look like another language than English.
        repeated: those met before.
    """

    read: int = 0
    empty: int = 0
    too_long: int = 0
    malformed: int = 0
    foreign: int = 0
    repeated: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """How many were left out, by reason; reasons that did not occur are missing."""
        counts = {
            "empty": self.empty,
            "too long": self.too_long,
            "malformed": self.malformed,
            "not English": self.foreign,
            "repeated": self.repeated,
        }
        return {reason: count for reason, count in counts.items() if count}
