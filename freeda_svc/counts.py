"""Numbers of things in messages, and how they are distributed."""

from collections.abc import Iterable

_PLURALS = {"category": "categories", "class": "classes", "entry": "entries"}


def counted(count: int, noun: str) -> str:
    """Write how many there are of something.

    >>> counted(1200, "item"), counted(1, "more word"), counted(2, "category")
    ('1,200 items', '1 more word', '2 categories')
    """
    if count == 1:
        return f"1 {noun}"
    before, blank, last = noun.rpartition(" ")
    return f"{count:,} {before}{blank}{_PLURALS.get(last, f'{last}s')}"


def count_by_size(counts: Iterable[int]) -> dict[str, int]:
    """Return how many nouns have 1 prototype, 2 to 3, 4 to 7, and so on.

    >>> count_by_size([1, 1, 3, 9])
    {'1': 2, '2-3': 1, '4-7': 0, '8-15': 1}
    """
    exponents = [count.bit_length() - 1 for count in counts]
    return {
        "1" if exponent == 0 else f"{2**exponent}-{2 ** (exponent + 1) - 1}": exponents.count(exponent)
        for exponent in range(max(exponents, default=-1) + 1)
    }
