"""The painted worlds as data: backgrounds, things, how full scenes are, and which captions know which words."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from freeda_svc.miniature.backgrounds import BACKGROUNDS, WIDE_BACKGROUNDS
from freeda_svc.miniature.shapes import Thing
from freeda_svc.miniature.things import THINGS
from freeda_svc.miniature.wide_things import WIDE_THINGS

Reader = Literal["generator", "image_text", "nobody"]
"""Whom a scene's caption is for: the generator and banks, the image-text model, or nobody who learns from it."""

_KNOWN_TO: Mapping[Reader, frozenset[str]] = {
    "generator": frozenset(("captions",)),
    "image_text": frozenset(("captions", "image_text")),
    "nobody": frozenset(("captions", "image_text", "exemplars", "nothing")),
}


@dataclass(frozen=True)
class SceneStyle:
    """How full a scene is.

    Attributes:
        things: how many (inclusive).
        half_width: of a thing in pixels (inclusive).
        overlap: things may hide less than this share of the smaller one's box.
    """

    things: tuple[int, int]
    half_width: tuple[float, float]
    overlap: float = 0.25


@dataclass(frozen=True)
class Word:
    """A word for a thing, and what it means: the thing's noun, or the kind of things that it belongs to."""

    text: str
    concept: str


@dataclass(frozen=True)
class World:
    """What can be painted and how it is named.

    Attributes:
        name: that of the pack that is trained on it.
        backgrounds: the first of ``WIDE_BACKGROUNDS``.
        things: everything that can be placed.
        easy: few large things, for the generator and for captions of banks.
        hard: scenes to be segmented.
        crowded: many things, for models that must tell them apart.
        relations: whether captions say how things lie to each other.
    """

    name: str
    backgrounds: tuple[str, ...]
    things: tuple[Thing, ...]
    easy: SceneStyle
    hard: SceneStyle
    crowded: SceneStyle
    relations: bool = False

    @cached_property
    def nouns(self) -> tuple[str, ...]:
        """The names of all labels, in their order: backgrounds, then things."""
        return (*self.backgrounds, *(thing.noun for thing in self.things))

    @cached_property
    def kinds(self) -> Mapping[str, tuple[str, ...]]:
        """The nouns of each kind's things, by the kind's general word."""
        found: dict[str, tuple[str, ...]] = {}
        for thing in self.things:
            if thing.kind:
                found[thing.kind] = (*found.get(thing.kind, ()), thing.noun)
        return found

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """What words can mean: the nouns, then the kinds."""
        return (*self.nouns, *self.kinds)

    def things_for(self, reader: Reader) -> tuple[Thing, ...]:
        """Return the things in scenes whose captions are for a reader: those whose nouns it knows."""
        return tuple(thing for thing in self.things if thing.known_by in _KNOWN_TO[reader])

    def words_for(self, reader: Reader, thing: Thing) -> tuple[Word, ...]:
        """Return the words that captions for a reader choose from, the noun as often as all others together."""
        others: tuple[Word, ...] = ()
        if reader != "nobody":
            others = tuple(Word(text, thing.noun) for text in thing.synonyms)
        if reader == "image_text":
            others += tuple(Word(text, thing.noun) for text in thing.rare_synonyms)
            others += (Word(thing.kind, thing.kind),) if thing.kind else ()
        return (Word(thing.noun, thing.noun),) * max(1, len(others)) + others

    def vocabulary(self, reader: Reader) -> tuple[Word, ...]:
        """Return every word that captions for a reader use for backgrounds, things and kinds, each once."""
        words = [Word(noun, noun) for noun in self.backgrounds]
        words += [word for thing in self.things_for(reader) for word in self.words_for(reader, thing)]
        return tuple(dict.fromkeys(words))


SMALL = World(
    name="miniature",
    backgrounds=BACKGROUNDS,
    things=THINGS,
    easy=SceneStyle(things=(1, 2), half_width=(12.0, 18.0)),
    hard=SceneStyle(things=(1, 3), half_width=(8.0, 14.0)),
    crowded=SceneStyle(things=(3, 6), half_width=(6.0, 16.0)),
)
"""Fourteen nouns, each with one name that every model knows."""

WIDE = World(
    name="miniature-wide",
    backgrounds=WIDE_BACKGROUNDS,
    things=WIDE_THINGS,
    easy=SceneStyle(things=(1, 2), half_width=(12.0, 18.0)),
    hard=SceneStyle(things=(2, 6), half_width=(7.0, 15.0), overlap=0.45),
    crowded=SceneStyle(things=(4, 9), half_width=(6.0, 15.0), overlap=0.5),
    relations=True,
)
"""Thirty-three things in kinds, with synonyms; some are known to the image-text model only, or from exemplars only."""

WORLDS: Mapping[str, World] = {world.name: world for world in (SMALL, WIDE)}
