"""A dictionary of words: whether they can be nouns, and their singulars."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

PLURAL_ONLY = frozenset(
    (
        *("bangs", "binoculars", "bleachers", "blinds", "boxers", "clothes", "dungarees", "electronics", "eyeglasses"),
        *("fatigues", "fries", "goggles", "graffiti", "groceries", "headphones", "jeans", "leggings", "overalls"),
        *("headquarters", "pajamas", "panties", "pants", "pliers", "pyjamas", "scissors", "series", "shears", "shorts"),
        *("slacks", "species", "sunglasses", "sweatpants", "tights", "toiletries", "tongs", "trousers", "tweezers"),
        *("woods",),
    )
)
"""A pair of scissors is not two of a scissor; woods are a forest, wood is what tables are made of."""

_SINGULARS: Mapping[str, str] = {
    "algae": "algae",
    "axes": "axe",
    "bases": "base",
    "birdies": "birdie",
    "brownies": "brownie",
    "calves": "calf",
    "data": "data",
    "doggies": "doggie",
    "hoodies": "hoodie",
    "hooves": "hoof",
    "loaves": "loaf",
    "media": "media",
    "movies": "movie",
    "octopi": "octopus",
    "oxen": "ox",
    "scarves": "scarf",
    "selfies": "selfie",
    "vases": "vase",
    "wolves": "wolf",
    "zombies": "zombie",
}
_SPELT_WITH_Y = frozenset(("caddie", "cattie", "dickie", "floozie", "grannie", "hankie", "pinkie"))
"""Words that the dictionary has with -ie, too, and that are mostly spelt with -y."""

_RULES = (
    *(("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")),
    *(("men", "man"), ("ies", "y"), ("ies", "ie")),
)
_ENDINGS_OF_SINGULARS = ("ss", "us", "is")
_SHORTEST = 3
_NO_THINGS = frozenset(
    (
        *("burgundy", "collectible", "curbside", "fun", "googly", "incoming", "junky", "kind", "oncoming"),
        *("parasailing", "plaid", "rundown", "semi", "upright", "upside", "whit"),
    )
)
"""Words that a dictionary has as nouns only, and captions have otherwise."""


class WordDictionary:
    """The nouns, verbs and adjectives that the tagger's package knows, taken from WordNet."""

    def __init__(self, lookups: Any) -> None:  # noqa: ANN401  (spaCy has no types here)
        """Take the tables of a rule lemmatizer."""
        index, exceptions = lookups.get_table("lemma_index"), lookups.get_table("lemma_exc")
        rules = lookups.get_table("lemma_rules")
        parts = ("noun", "verb", "adj", "adv")
        self._known = {part: frozenset(index[part]) | frozenset(exceptions[part]) for part in parts}
        self._rules = {part: rules.get(part, []) for part in parts}
        self._nouns = frozenset(index["noun"])
        self._irregular: dict[str, str] = {word: forms[0] for word, forms in exceptions["noun"].items()}
        self.is_only_a_noun = lru_cache(maxsize=1 << 16)(self._is_only_a_noun)

    def _is_only_a_noun(self, word: str, tag: str) -> bool:
        """Return whether a word is a noun by the dictionary, and can't be what the tagger took it for.

        The tagger was made for newspapers: it takes geese for an adjective and fungi for a verb.

        Args:
            word: in lower case.
            tag: ``ADJ``, ``ADV`` or ``VERB``.
        """
        if len(word) < _SHORTEST or word in _NO_THINGS or not self._can_be(word, "noun"):
            return False
        return not self._can_be(word, tag.lower())

    def is_irregular(self, word: str) -> bool:
        """Return whether a word is the plural of a noun and does not end as plurals do."""
        return word in self._irregular and not word.endswith("s")

    def _can_be(self, word: str, part: str) -> bool:
        if word in self._known[part]:
            return True
        return any(
            word.endswith(ending) and word.removesuffix(ending) + other in self._known[part]
            for ending, other in self._rules[part]
        )

    def singular(self, word: str, lemma: str, tag: str) -> str:
        """Return the singular of a noun, or the noun itself when it has none.

        Args:
            word: as it is written, in lower case.
            lemma: what the tagger's package makes of it.
            tag: what the tagger took it for; of what is no ``NOUN`` its package makes no good singulars.
        """
        if word in PLURAL_ONLY or word in _SINGULARS:
            return _SINGULARS.get(word, word)
        if tag != "NOUN" and word in self._irregular and (tag != "PROPN" or word not in self._nouns):
            return self._irregular[word]
        if not word.endswith("s"):
            return self._irregular.get(word, lemma) if lemma == word and word not in self._nouns else lemma
        if tag == "PROPN":
            known = [] if word.endswith(_ENDINGS_OF_SINGULARS) else self._singulars(word)
            return known[-1] if known else word
        if lemma not in self._nouns and word in self._nouns and not word.endswith("ers"):
            return word  # a trellis is no two of a trelli
        known = self._singulars(word) if word.endswith("ies") else []
        return known[-1] if lemma in known else lemma

    def _singulars(self, word: str) -> list[str]:
        forms = [word.removesuffix(ending) + other for ending, other in _RULES if word.endswith(ending)]
        return [form for form in forms if len(form) >= _SHORTEST and form in self._nouns and form not in _SPELT_WITH_Y]
