"""Words that only their surroundings explain: glasses to wear or to drink from, and words in -ing behind a noun.

Behind a noun, such a word says what the noun does ("a hydrant gushing water"), or is a thing ("a brick building").
"""

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
    """Return whether "glasses" are worn: somebody wears them, is in or with them, or has them on.

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


_SHORTEST = 5

_THINGS = frozenset(
    (
        *("awning", "bedding", "building", "bunting", "carpeting", "carving", "casing", "ceiling", "clothing"),
        *("coating", "covering", "crossing", "darling", "decking", "drawing", "dressing", "duckling", "dwelling"),
        *("earring", "engraving", "etching", "evening", "fencing", "filling", "flooring", "frosting", "furnishing"),
        *("grating", "herring", "icing", "landing", "lettering", "lighting", "lining", "marking", "molding", "morning"),
        *("moulding", "netting", "offspring", "padding", "painting", "piercing", "piping", "plumbing", "pudding"),
        *("railing", "rigging", "roofing", "scaffolding", "seasoning", "seedling", "serving", "shelving", "siding"),
        *("spring", "sterling", "stocking", "string", "stuffing", "swing", "topping", "trimming", "tubing", "wedding"),
        *("wiring", "writing"),
    )
)

_KINDS_OF_THINGS = frozenset(
    (
        *("baking", "bathing", "batting", "boarding", "camping", "changing", "cleaning", "cooking"),
        *("dining", "docking", "drying", "fishing", "frying", "gaming", "hiking", "hunting", "living"),
        *("loading", "mixing", "parking", "racing", "reading", "rolling", "running", "seating", "sewing"),
        *("shipping", "shopping", "sitting", "skating", "skiing", "sleeping", "sporting", "surfing", "swimming"),
        *("touring", "training", "waiting", "walking", "warning", "washing", "watering"),
    )
)
"""They say of what kind the thing behind them is, also behind a noun: "a hotel swimming pool"."""

_BOARD = "board"

_DONE_TO_THINGS = frozenset(
    ("baking", "cleaning", "cooking", "painting", "reading", "serving", "washing", "watering", "writing")
)
"""Of those the ones that several things behind them are done to: "a machine washing clothes"."""


def says_what_is_done(word: str, following: str, tag: str) -> bool:
    """Return whether a word behind a noun, taken for a noun, says what the noun does.

    Args:
        word: in lower case.
        following: the noun behind it; empty where there is none.
        tag: its fine tag (``NN``, ``NNS``, ...).
    """
    if not word.endswith("ing") or len(word) < _SHORTEST:
        return False
    if tag == "NNS" and word in _DONE_TO_THINGS:
        return True
    if word == "cutting":
        return not following.startswith(_BOARD)
    return word not in _THINGS and not (following and word in _KINDS_OF_THINGS)
