"""The numbers of a segmentation as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeda_svc.outputs.files import check_suffix, write_whole

if TYPE_CHECKING:
    from freeda_svc.segmentation import KnownWord, Segmentation


def summarise(segmentation: "Segmentation", proposals: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the summary of a segmentation as plain values; a category's ``index`` is its label in the mask.

    Args:
        segmentation: the result.
        proposals: how the categories were proposed, as ``proposal_values`` returns it; None where they were named.
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
                "words": [word_values(word) for word in known],
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
        "encoders": dict(segmentation.encoders),
        "bank": segmentation.bank,
        "bank_version": None if segmentation.bank_revision is None else asdict(segmentation.bank_revision),
        "timings_seconds": {step: round(seconds, 6) for step, seconds in segmentation.timings.items()},
    }


def word_values(word: "KnownWord") -> dict[str, Any]:
    """Return what a bank knows of a word as JSON can hold it."""
    return {
        "text": word.text,
        "prototypes": word.prototypes,
        "retrieved": word.retrieved,
        "nearest": [{"noun": noun, "retrieved": count} for noun, count in word.nearest.items()],
    }


def write_summary(path: Path | str, segmentation: "Segmentation", proposals: Mapping[str, Any] | None = None) -> None:
    """Write the summary of a segmentation as UTF-8 JSON.

    Args:
        path: ends in .json; the folder exists.
        segmentation: the result.
        proposals: as ``summarise`` takes them.

    Raises:
        InputError: the name ends otherwise.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".json")
    text = json.dumps(summarise(segmentation, proposals), ensure_ascii=False, allow_nan=False, indent=2)
    write_whole(path, f"{text}\n".encode())
