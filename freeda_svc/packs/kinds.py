"""What kind of pack one is: the paper's, free for commercial use, fast; and how much memory of a GPU it needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CommercialUse = Literal["", "free", "conditions", "restricted"]
"""What a licence says of commercial use: ``free``, as Apache-2.0 and MIT; allowed under ``conditions`` that one must
read, as uses that are ruled out; ``restricted``, as to small companies; empty when nobody said."""

PAPER, FREE, FAST = "paper", "free", "fast"
STEPS_OF_FAST = 10


@dataclass(frozen=True)
class GpuMemory:
    """Estimated, in gigabytes, with the pack's batch sizes; 0 when nobody knows.

    Attributes:
        generating: to make prototypes: all three models, the generator in half precision.
        segmenting: backbone and image-text model alone, in full precision.
    """

    generating: int = 0
    segmenting: int = 0


NOT_ESTIMATED = GpuMemory()


def kinds_of(commercial_use: Iterable[CommercialUse], steps: int, *, paper: bool) -> tuple[str, ...]:
    """Return what can be said of a pack in single words.

    Args:
        commercial_use: what the licence of each part says.
        steps: diffusion steps of an image.
        paper: whether its models are those of the paper.
    """
    words = {PAPER: paper, FREE: all(use == "free" for use in commercial_use), FAST: steps <= STEPS_OF_FAST}
    return tuple(word for word, holds in words.items() if holds)
