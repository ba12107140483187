"""Recognising captions that are not English: the tagger would find nouns in them that are none, such as "ein" and "le".

Captions are too short for statistics of letters, but hardly any sentence lacks articles and prepositions. A
caption is taken for English unless it says otherwise: by its script, by letters that English does not have, or by more
such words of one other language than of English.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

FUNCTION_WORDS_FILE = Path(__file__).with_name("function_words.txt")

_WORD = re.compile(r"[^\W\d_]+")

_OTHER_LETTERS = frozenset("ąćęłńśźżřěščžůőűğşıđåøæßãõìòùîûșțăơưạảấầẩậắằẵặẹẻẽếềểễệỉịọỏốồổỗộớờởợụủứừửữựỳỵỷỹ¿¡")
"""In no word of English."""

_ACCENTS = frozenset("áéíóúñàèçäöüâêôëï")
_SCRIPT = "LATIN"
_GERMAN = "German"
_WORDS_FOR_ONE = 4
"""So many words go with one that holds them together, where none of English does."""


@dataclass(frozen=True)
class _FunctionWords:
    """Function words by language, from the file of that name."""

    english: frozenset[str]
    shared: frozenset[str]
    certain: frozenset[str]
    loaned: frozenset[str]
    others: Mapping[str, frozenset[str]]
    any_other: frozenset[str]


@cache
def function_words() -> _FunctionWords:
    """Return the words of ``function_words.txt``."""
    text = FUNCTION_WORDS_FILE.read_text(encoding="utf-8").replace("\n  ", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {name: frozenset(words.split()) for name, _, words in (line.partition(": ") for line in lines)}
    english, shared, certain, loaned = (found.pop(name) for name in ("English", "shared", "certain", "loaned"))
    return _FunctionWords(english, shared, certain, loaned, found, frozenset().union(*found.values()))


def looks_foreign(text: str) -> bool:
    """Return whether a caption looks like another language than English.

    Args:
        text: a caption, tidied.
    """
    written = _WORD.findall(text.lower() if text.isupper() else text)
    words = [word.lower() for word in written]
    if not words:
        return False
    if not text.isascii() and _other_script(words):
        return True
    known = function_words()
    english = sum(word in known.english for word in words) + sum(word in known.shared for word in words) / 2
    least = english + 2 if english else 1
    if text.isascii() and known.certain.isdisjoint(words) and sum(word in known.any_other for word in words) < least:
        return False  # most captions
    others = max(_hits(theirs, words, written, german=name == _GERMAN) for name, theirs in known.others.items())
    letters = [] if text.isascii() else [word for word in words if word not in known.loaned]
    others += sum(not _ACCENTS.isdisjoint(word) for word in letters)
    odd = sum(not _OTHER_LETTERS.isdisjoint(word) for word in letters)
    if odd or not known.certain.isdisjoint(words):
        return max(others, odd) > english
    return others >= least if english else others * _WORDS_FOR_ONE >= len(words)


def _hits(theirs: frozenset[str], words: list[str], written: list[str], *, german: bool) -> int:
    """Count the words of a language; letters by themselves only beside others.

    Before a capital they are mostly part of a name, as in "Rio de Janeiro".
    """
    behind = [german or word.islower() for word in written[1:]]
    found = [
        word
        for word, as_it_is, lower in zip(words, written, [*behind, True], strict=True)
        if word in theirs and lower and not (len(as_it_is) > 1 and as_it_is.isupper())
    ]
    return len(found) if any(len(word) > 1 for word in found) else 0


def _other_script(words: list[str]) -> bool:
    letters = "".join(words)
    return 2 * sum(not letter.isascii() and not _is_latin(letter) for letter in letters) > len(letters)


@lru_cache(maxsize=4096)
def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, _SCRIPT).startswith(_SCRIPT)
