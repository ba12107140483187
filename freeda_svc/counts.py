"""Numbers of things in messages."""

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
