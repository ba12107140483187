"""Glasses to see with, which are a pair, and glasses to drink from, which are two of a glass."""

from typing import Any

GLASSES = "glasses"

_WORN_BEFORE = frozenset(("3d", "bifocal", "eye", "prescription", "reading", "rimmed", "safety", "sun", "worn"))
_WEARING = frozenset(("wear", "wearing", "wears", "wore"))
_HAVING = frozenset(("has", "have", "having", "in", "with"))
_PEOPLE = frozenset(
    (
        *("adult", "baby", "bear", "boy", "boys", "child", "children", "couple", "gentleman", "girl", "girls", "guy"),
        *("guys", "he", "kid", "kids", "lady", "ladies", "male", "female", "man", "men", "people", "person", "player"),
        *("she", "skier", "student", "teenager", "that", "who", "woman", "women"),
    )
)
_TABLE = frozenset(("bottle", "bottles", "food", "plate", "plates", "table", "wine"))
_WORDS_BETWEEN = 9


def is_eyewear(document: Any, position: int) -> bool:  # noqa: ANN401  (spaCy has no types here)
    """Tell whether "glasses" are worn: somebody wears them, is in or with them, or has them on.

    Args:
        document: a tagged caption.
        position: of the word in it.
    """
    after = document[position + 1].text if position + 1 < len(document) else ""
    before = document[position - 1] if position else None
    if before is not None and before.text in _WORN_BEFORE:
        return True
    if after == "of" or (before is not None and before.pos_ in {"NOUN", "NUM"}):
        return False  # glasses of wine, wine glasses, two glasses
    return after == "on" or _somebody_has(document, position)


def _somebody_has(document: Any, position: int) -> bool:  # noqa: ANN401
    for place in reversed(range(max(0, position - _WORDS_BETWEEN), position)):
        word = document[place]
        if word.text in _WEARING:
            return True
        if word.text in _HAVING:
            return place > 0 and document[place - 1].text in _PEOPLE
        if word.pos_ == "VERB" or word.text in _TABLE:
            return False
    return False
