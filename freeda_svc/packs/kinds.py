"""What kind of pack one is: the paper's, free for commercial use, fast."""

from collections.abc import Iterable

from freeda_svc.parameters import CommercialUse

PAPER, FREE, FAST = "paper", "free", "fast"
STEPS_OF_FAST = 10


def kinds_of(commercial_use: Iterable[CommercialUse], steps: int, *, paper: bool) -> tuple[str, ...]:
    """Return what can be said of a pack in single words.

    Args:
        commercial_use: what the licence of each part says.
        steps: diffusion steps of an image.
        paper: whether its models are those of the paper.
    """
    words = {PAPER: paper, FREE: all(use == "free" for use in commercial_use), FAST: steps <= STEPS_OF_FAST}
    return tuple(word for word, holds in words.items() if holds)
