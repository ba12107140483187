"""A bank of prototypes in this process: filling it, searching it, closing it."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize

from freeda_svc.artifacts import Artifacts
from freeda_svc.bank import BankStats, PrototypeStore, Selection
from freeda_svc.bank.curation import CurationReport, CurationRule, apply_curation, assess, uncurate
from freeda_svc.batching import batched
from freeda_svc.captions import Caption, CaptionTally, NounParser
from freeda_svc.errors import InputError
from freeda_svc.images import DrawnOn
from freeda_svc.library.arguments import ImageLike, MaskLike, described, read_text
from freeda_svc.library.bank_input import read_bank_captions, read_exemplar
from freeda_svc.library.progress import progress_bar
from freeda_svc.packs import Pack
from freeda_svc.prototypes.exemplars import tidy_noun
from freeda_svc.prototypes.record import GENERATED, ORIGINS

if TYPE_CHECKING:
    from freeda_svc.prototypes.builder import BuildResult, PrototypeBuilder

_CAPTIONS_AT_ONCE = 256
_NEAREST = 10


@dataclass(frozen=True)
class Opened:
    """A bank that was opened.

    Attributes:
        store: its prototypes.
        name: what a person calls it: ``photos@1``, or its folder.
        place: where it is, the same for all that is the same bank.
        release: closes what the store needs.
        artifacts: where thumbnails are kept; None where none are.
    """

    store: PrototypeStore
    name: str
    place: str
    release: Callable[[], None]
    artifacts: Artifacts | None

    def filling(self) -> AbstractContextManager[Path | None]:
        """Give the folder that thumbnails are written to; None where none are kept."""
        return nullcontext() if self.artifacts is None else self.artifacts.filling()

    def close(self) -> None:
        """Close the bank, so that other processes can open it."""
        self.store.close()
        self.release()


@dataclass(frozen=True)
class Added:
    """What was added to a bank.

    Attributes:
        captions: captions of which images were generated, or exemplars.
        known: captions that were passed over, because the bank has prototypes of all their nouns from this pack.
        prototypes: new prototypes in the bank.
        nouns: how many of these each noun received.
        left_out: what gave no prototype, by reason; reasons that did not occur are missing.
        outside: prototypes of nouns that the pack's models were never trained on, whose quality is unknown.
    """

    captions: int = 0
    known: int = 0
    prototypes: int = 0
    nouns: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    outside: int = 0


class Bank:
    """Prototypes under textual keys, with the pack whose models fill and search them; ``open_bank`` returns it.

    It is closed by ``close``, by the end of a ``with`` block, or when it is no longer referenced. Not for several
    threads at once.
    """

    def __init__(self, opened: Opened, pack: Pack) -> None:
        """Take what ``open_bank`` has opened."""
        self._opened = opened
        self._pack = pack
        self._finalizer = finalize(self, opened.close)

    @property
    def name(self) -> str:
        """Name and version, such as ``photos@1``, or the folder."""
        return self._opened.name

    @property
    def pack(self) -> Pack:
        """The models that fill and search it."""
        return self._pack

    @property
    def artifacts(self) -> Path | None:
        """The folder with the thumbnails of its prototypes; None where none are kept, as in a folder of its own.

        Where they are in a bucket, it has copies of those that were needed.
        """
        return None if self._opened.artifacts is None else self._opened.artifacts.folder

    def bring_pictures(self, names: Iterable[str]) -> None:
        """See that thumbnails of its prototypes are in ``artifacts``, as far as they exist.

        Args:
            names: their paths, as prototypes have them.

        Raises:
            UnavailableError: they are in a bucket whose server does not answer.
        """
        if self._opened.artifacts is not None:
            self._opened.artifacts.bring(names)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._finalizer.alive

    @property
    def store(self) -> PrototypeStore:
        """The prototypes themselves, for what this class does not offer.

        Raises:
            InputError: the bank was closed.
        """
        if self.closed:
            raise InputError(f"the bank {self.name} was closed; open it again with open_bank")
        return self._opened.store

    def close(self) -> None:
        """Close it, so that other processes can open it; closing again does nothing."""
        self._finalizer()

    def add_captions(self, captions: Iterable[str] | str | os.PathLike[str], *, progress: bool = True) -> Added:
        """Turn captions into prototypes: generate an image of each and pool the features of each noun in it.

        Prototypes are stored batch by batch, so an interrupted call continues where it stopped when it is repeated.
        Captions are skipped when the bank has prototypes of all their nouns from this pack.

        Args:
            captions: sentences in English, of up to 1,000 characters; or the path of a caption file of any format that
                ``freeda ingest`` reads (COCO, JSON Lines, CSV, Parquet, or plain text with a caption per line).
            progress: whether a bar is shown.

        Returns:
            How many prototypes are new, and what was left out.

        Raises:
            InputError: they are no captions, a file cannot be read, or a model of the pack cannot be used.
            UnavailableError: the bank cannot be written.
        """
        from freeda_svc.prototypes.builder import WITHOUT_NOUNS  # noqa: PLC0415 - brings the model libraries with it

        store, tally, left_out = self.store, CaptionTally(), Counter[str]()
        found, total = read_bank_captions(captions, tally)
        pack, known, generated, outside = self._pack, 0, 0, 0
        nouns: Counter[str] = Counter()
        with progress_bar("captions", total, "caption", shown=progress) as advance:
            for some in batched(found, _CAPTIONS_AT_ONCE):
                captions_left = []
                for caption, mentioned in zip(some, self._nouns_of(some), strict=True):
                    if not mentioned:
                        left_out[WITHOUT_NOUNS] += 1
                    elif mentioned <= self._nouns_from(caption):
                        known += 1
                    else:
                        captions_left.append(caption)
                advance(len(some) - len(captions_left))
                for batch in batched(captions_left, pack.parameters.generation.batch_size):
                    with self._opened.filling() as artifacts:
                        built = self._builder.build(batch, artifacts=artifacts)
                    nouns += self._add(built)
                    generated, outside = generated + built.images, outside + built.outside
                    left_out.update(built.counts)
                    advance(len(batch))
            advance(sum(tally.left_out.values()))
        new = nouns.total()
        store.pack_if_worth_it(new)
        left_out.update(tally.left_out)
        return Added(generated, known, new, dict(nouns.most_common()), dict(left_out), outside)

    def add_exemplar(
        self,
        word: str,
        image: ImageLike,
        mask: MaskLike,
        *,
        caption: str = "",
        drawn_on: DrawnOn | None = None,
    ) -> Added:
        """Teach the bank a word by a picture of yours: what the mask marks is an example of it.

        The same picture, mask and caption a second time change nothing.

        Args:
            word: what the mask shows, as a category will name it later.
            image: a path, encoded bytes, a Pillow image, or an array or tensor of shape (H, W), (H, W, 3) or
                (H, W, 4) and dtype uint8.
            mask: the same, or (H, W) bool; of the image's height and width; pixels that are not zero are the object.
            caption: a sentence about the image; ``a photo of the WORD`` when empty.
            drawn_on: where image and mask are paths and the image has an EXIF orientation: whether the mask was drawn
                on the ``upright`` picture or on the pixels as they are ``stored``.

        Returns:
            That there is one new prototype, or none where it was there already.

        Raises:
            InputError: word, image or mask are not usable, or do not go together; or they give no prototype, because
                what the mask marks is too thin or of one flat colour.
            UnavailableError: the bank cannot be written.
        """
        from freeda_svc.prototypes.exemplar_builder import ExemplarBuilder  # noqa: PLC0415 - as above

        store = self.store
        exemplar = read_exemplar(read_text(word, "the word"), image, mask, caption, drawn_on)
        with self._opened.filling() as artifacts:
            built = ExemplarBuilder(self._pack).build([exemplar], artifacts=artifacts)
        if not built.prototypes:
            reason = next(iter(built.counts), "nothing usable in it")
            raise InputError(f"the exemplar of {exemplar.noun!r} gives no prototype: {reason}; mark a larger object")
        nouns = self._add(built)
        store.pack_if_worth_it(nouns.total())
        return Added(1, 0, nouns.total(), dict(nouns), {}, built.outside)

    def nouns(self) -> dict[str, int]:
        """How many prototypes each noun has, the most frequent first."""
        return dict(sorted(self.store.nouns().items(), key=lambda entry: (-entry[1], entry[0])))

    def count(self, word: str | None = None, *, origin: str | None = None) -> int:
        """How many prototypes there are.

        Args:
            word: of this noun; of all when None.
            origin: only of this one: ``generated``, ``exemplar`` or ``imported``; of all when None.

        Raises:
            InputError: there is no such origin.
        """
        return self.store.count(_selection(word, origin))

    def stats(self) -> BankStats:
        """All numbers about the bank: prototypes, nouns, captions, outliers, origins, dimensions, bytes on disk."""
        return self.store.stats()

    def search(self, text: str, k: int = _NEAREST) -> list[dict[str, Any]]:
        """Say what a category would be compared with: the prototypes whose keys are nearest to a text.

        Args:
            text: a word or short phrase.
            k: how many, at least 1.

        Returns:
            A row each, the nearest first: ``noun``, ``score`` (cosine, -1 to 1), ``caption``, ``origin``.

        Raises:
            InputError: the text is empty, or k is below 1.
        """
        query = self._pack.image_text.embed_nouns([read_text(text, "the text to search for")]).numpy()
        (nearest,) = self.store.nearest(query, k)
        payloads = self.store.payloads(nearest.ids)
        return [
            {"noun": kept["noun"], "score": float(score), "caption": kept["caption"], "origin": kept["origin"]}
            for kept, score in zip(payloads, nearest.scores, strict=True)
        ]

    def forget(self, word: str, *, origin: str | None = None) -> int:
        """Remove the prototypes of a noun; there is no way back but to add them again.

        Args:
            word: the noun.
            origin: only those of this origin; of all when None.

        Returns:
            How many were removed.

        Raises:
            InputError: the word is no text, or there is no such origin.
        """
        ids = self.store.select(_selection(read_text(word, "the word to forget"), origin))
        return self.store.forget(ids) if ids else 0

    def curate(self, *, keep: float = 0.7, dry_run: bool = False) -> CurationReport:
        """Mark the prototypes that probably do not show their noun, so that retrieval leaves them out.

        Args:
            keep: share of each noun's prototypes that stay, above 0 to 1.
            dry_run: mark nothing, and only say what would be marked.

        Returns:
            Which are marked, and why.

        Raises:
            InputError: the share is out of range.
        """
        report = assess(self.store, CurationRule(keep=keep))
        if not dry_run:
            apply_curation(self.store, report)
        return report

    def uncurate(self) -> int:
        """Take back all marks of ``curate``; returns how many there were."""
        return uncurate(self.store)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.count(word) > 0

    def __eq__(self, other: object) -> bool:
        """Whether it is the same bank with the same pack, however it was opened."""
        if not isinstance(other, Bank):
            return NotImplemented
        return (self._opened.place, self._pack) == (other._opened.place, other._pack)

    def __hash__(self) -> int:
        return hash(self._opened.place)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<Bank {self.name}, closed>"
        stats = self.store.stats()
        if not stats.prototypes:
            return f"<Bank {self.name}, pack {self._pack.name}: empty; add_captions or add_exemplar fill it>"
        origins = ", ".join(f"{count:,} {origin}" for origin, count in stats.origins.items())
        return (
            f"<Bank {self.name}, pack {self._pack.name}: {stats.prototypes:,} prototypes of {stats.nouns:,} nouns "
            f"({origins})>"
        )

    @cached_property
    def _parser(self) -> NounParser:
        return NounParser()

    @cached_property
    def _builder(self) -> "PrototypeBuilder":
        from freeda_svc.prototypes.builder import PrototypeBuilder  # noqa: PLC0415 - as above

        return PrototypeBuilder(self._pack, self._parser)

    def _nouns_of(self, captions: tuple[Caption, ...]) -> Iterator[set[str]]:
        for nouns in self._parser.parse([caption.text for caption in captions]):
            yield {noun.text for noun in nouns}

    def _nouns_from(self, caption: Caption) -> set[str]:
        """The nouns of which the bank has prototypes from a caption, drawn by this pack."""
        ids = self.store.select(Selection(caption_id=caption.id, origin=GENERATED))
        return {kept["noun"] for kept in self.store.payloads(ids) if kept["pack"] == self._pack.fingerprint}

    def _add(self, built: "BuildResult") -> Counter[str]:
        """Store prototypes; how many of each noun are new."""
        nouns = {prototype.noun for prototype in built.prototypes}
        before = Counter({noun: self.store.count(Selection(noun=noun)) for noun in nouns})
        self.store.add(built.prototypes)
        return Counter({noun: self.store.count(Selection(noun=noun)) for noun in nouns}) - before


def _selection(word: str | None, origin: str | None) -> Selection:
    if word is not None and not isinstance(word, str):
        raise InputError(f"a word is a text, not {described(word)}")
    if origin is not None and origin not in ORIGINS:
        raise InputError(f"the origin is one of {', '.join(ORIGINS)}, not {described(origin)}")
    return Selection(noun=None if word is None else tidy_noun(word), origin=origin)
