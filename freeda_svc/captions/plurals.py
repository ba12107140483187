"""Singulars that rules of spelling get wrong, and nouns that have none."""

from collections.abc import Mapping

PLURAL_ONLY = frozenset(
    (
        *("bangs", "binoculars", "bleachers", "blinds", "boxers", "clothes", "dungarees", "electronics", "eyeglasses"),
        *("fatigues", "fries", "goggles", "graffiti", "groceries", "headphones", "jeans", "leggings", "overalls"),
        *("pajamas", "panties", "pants", "pliers", "pyjamas", "scissors", "shears", "shorts", "slacks", "sunglasses"),
        *("sweatpants", "tights", "toiletries", "tongs", "trousers", "tweezers", "woods"),
    )
)
"""A pair of scissors is not two of a scissor; woods are a forest, wood is what tables are made of."""

_SINGULARS: Mapping[str, str] = {
    "axes": "axe",
    "bases": "base",
    "birdies": "birdie",
    "brownies": "brownie",
    "calves": "calf",
    "cookies": "cookie",
    "doggies": "doggie",
    "hoodies": "hoodie",
    "hooves": "hoof",
    "loaves": "loaf",
    "movies": "movie",
    "scarves": "scarf",
    "selfies": "selfie",
    "smoothies": "smoothie",
    "vases": "vase",
    "wolves": "wolf",
    "zombies": "zombie",
}


def singular(word: str, lemma: str) -> str:
    """Return the singular of a noun, or the noun itself when it has none.

    Args:
        word: as it is written, in lower case.
        lemma: what rules of spelling make of it.
    """
    return word if word in PLURAL_ONLY else _SINGULARS.get(word, lemma)
