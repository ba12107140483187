"""Words in -ing behind a noun: what the noun does ("a hydrant gushing water"), or a thing ("a brick building")."""

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
    """Tell whether a word behind a noun, taken for a noun, says what the noun does.

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
