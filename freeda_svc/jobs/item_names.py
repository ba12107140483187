"""What an item is called in lists."""

from collections.abc import Mapping
from typing import Any


def item_name(given: Mapping[str, Any]) -> str:
    """Return the image's file name, what is moved, or how many captions or exemplars an item holds.

    >>> item_name({"captions": ["a cat", "a dog"]})
    '2 captions'
    """
    if "name" in given:
        return str(given["name"])
    kind = "exemplars" if "exemplars" in given else "captions"
    return f"{len(given.get(kind, ()))} {kind}"
