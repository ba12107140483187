"""How a store may search when it need not be exact."""

from dataclasses import dataclass

from freeda_svc.errors import InputError


@dataclass(frozen=True)
class Approximate:
    """Search over a graph of the keys (HNSW), which misses some of the nearest.

    Keys of one noun crowd together, and graphs have trouble with that: measure the recall on the bank in question
    before relying on it.

    Attributes:
        depth: how many candidates a search keeps while it walks (HNSW's ``ef``), at least 1; deeper is slower and
            misses less. Less than k counts as k.
        quantized: whether candidates are compared by keys of one byte a value first and by the full keys afterwards.
    """

    depth: int
    quantized: bool = False

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InputError(f"the depth of an approximate search must be at least 1, got {self.depth}")
