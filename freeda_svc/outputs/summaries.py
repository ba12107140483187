"""The numbers of a segmentation as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.store import Version
from freeda_svc.outputs.files import check_suffix, write_whole
from freeda_svc.parameters import SegmentationParameters


class AskedCategory(Protocol):
    """What is written of a category that was asked for."""

    @property
    def name(self) -> str:
        """Its name, exactly as typed."""

    @property
    def embedded_text(self) -> str:
        """The text that was compared with the image."""

    @property
    def retrieval_text(self) -> str:
        """The text whose prototypes were fetched."""

    @property
    def synonyms(self) -> Sequence[str]:
        """Further texts, each both compared and used to fetch prototypes."""


class ScoredCategory(Protocol):
    """What is written of how a category did."""

    @property
    def score(self) -> float | None:
        """Mean score over its pixels; None without any."""

    @property
    def highest_score(self) -> float:
        """Highest score anywhere."""

    @property
    def area_share(self) -> float:
        """Share of the image, 0 to 1."""

    @property
    def absent(self) -> bool:
        """Whether it took no pixel."""


class Word(Protocol):
    """What is written of what the bank knew of a word."""

    @property
    def text(self) -> str:
        """By which prototypes were fetched."""

    @property
    def prototypes(self) -> int:
        """How many the bank had of that very noun."""

    @property
    def retrieved(self) -> int:
        """How many were fetched."""

    @property
    def nearest(self) -> Mapping[str, int]:
        """How many of these were made for other nouns, the nearest first."""


class Summarised(Protocol):
    """What a summary needs to know; ``freeda_svc.segmentation.Segmentation`` does."""

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(H, W) labels."""

    @property
    def categories(self) -> Sequence[AskedCategory]:
        """What was asked for."""

    @property
    def scores(self) -> Sequence[ScoredCategory]:
        """One a category, in the same order."""

    @property
    def regions(self) -> int:
        """How many superpixels there were."""

    @property
    def windows(self) -> int:
        """How many windows there were."""

    @property
    def parameters(self) -> SegmentationParameters:
        """The numbers it was made with."""

    @property
    def pack(self) -> str:
        """Fingerprint of the model pack."""

    @property
    def bank(self) -> str:
        """Name and version of the bank; empty when nobody said."""

    @property
    def bank_version(self) -> Version | None:
        """Version of the bank's content; None when nobody said."""

    @property
    def words(self) -> Sequence[Sequence[Word]]:
        """What the bank knew of each category's words; empty when nobody asked it."""

    @property
    def unknown_share(self) -> float:
        """Share of the image that belongs to no category, 0 to 1."""

    @property
    def transparent_share(self) -> float:
        """Share of the image that does because it is transparent."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds of each step."""


def summarise(segmentation: Summarised, proposals: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the summary as plain values; a category's ``index`` is its label in the mask.

    Args:
        segmentation: what to sum up.
        proposals: what is known of the categories where nobody named them.
    """
    height, width = segmentation.labels.shape
    proposed = {} if proposals is None else {"proposals": proposals}
    words = segmentation.words or [()] * len(segmentation.categories)
    return {
        "image": {"height": height, "width": width},
        "categories": [
            {
                "index": index,
                "name": category.name,
                "text": category.embedded_text,
                "prototype_text": category.retrieval_text,
                "synonyms": list(category.synonyms),
                "score": score.score,
                "highest_score": score.highest_score,
                "area_share": score.area_share,
                "absent": score.absent,
                "words": [_word_values(word) for word in known],
            }
            for index, (category, score, known) in enumerate(
                zip(segmentation.categories, segmentation.scores, words, strict=True)
            )
        ],
        **proposed,
        "unknown_share": segmentation.unknown_share,
        "transparent_share": segmentation.transparent_share,
        "regions": segmentation.regions,
        "windows": segmentation.windows,
        "parameters": segmentation.parameters.model_dump(),
        "pack": segmentation.pack,
        "bank": segmentation.bank,
        "bank_version": None if segmentation.bank_version is None else asdict(segmentation.bank_version),
        "timings_seconds": {step: round(seconds, 6) for step, seconds in segmentation.timings.items()},
    }


def _word_values(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "prototypes": word.prototypes,
        "retrieved": word.retrieved,
        "nearest": [{"noun": noun, "retrieved": count} for noun, count in word.nearest.items()],
    }


def write_summary(path: Path, segmentation: Summarised, proposals: Mapping[str, Any] | None = None) -> None:
    """Write the summary of a segmentation as UTF-8 JSON.

    Args:
        path: ends in .json; the folder exists.
        segmentation: what to sum up.
        proposals: what is known of the categories where nobody named them.

    Raises:
        InputError: the name ends otherwise.
        UnavailableError: the file cannot be written.
    """
    check_suffix(path, ".json")
    text = json.dumps(summarise(segmentation, proposals), ensure_ascii=False, allow_nan=False, indent=2)
    write_whole(path, f"{text}\n".encode())
