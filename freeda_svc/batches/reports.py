"""Short reports from summaries: what each image shows, and which words the bank does not know."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Summary = Mapping[str, Any]
"""Of a segmented image, as ``freeda_svc.outputs.summarise`` makes it."""


@dataclass(frozen=True)
class ShownCategory:
    """A category that an image shows.

    Attributes:
        name: as it was given; None for the pixels that belong to no category.
        area_share: share of the image's pixels, above 0 to 1.
        confidence: of the proposal, 0 to 1, where the bank proposed the category; None otherwise.
    """

    name: str | None
    area_share: float
    confidence: float | None = None


def shown_categories(summary: Summary) -> list[ShownCategory]:
    """Return what an image shows, the largest first; categories without pixels are left out."""
    proposed = summary.get("proposals", {}).get("categories", ())
    confidences = {entry["noun"]: entry.get("confidence", entry.get("sureness")) for entry in proposed}  # as once named
    shown = [
        ShownCategory(entry["name"], entry["area_share"], confidences.get(entry["name"]))
        for entry in summary["categories"]
        if not entry["absent"]
    ]
    if summary["unknown_share"]:
        shown.append(ShownCategory(None, summary["unknown_share"]))
    return sorted(shown, key=lambda category: -category.area_share)


@dataclass(frozen=True)
class UnknownWord:
    """A word of a category that the bank has no prototype of.

    Attributes:
        text: the word.
        nearest: the nouns whose prototypes were taken instead, the nearest first.
    """

    text: str
    nearest: tuple[str, ...]


def unknown_words(summaries: Iterable[Summary]) -> list[UnknownWord]:
    """Return the words that the bank had no prototype of, each once, in the order of the categories."""
    found: dict[str, UnknownWord] = {}
    for summary in summaries:
        for category in summary["categories"]:
            for word in category.get("words", ()):  # results of older workers have none
                if not word["prototypes"] and word["text"] not in found:
                    nearest = tuple(entry["noun"] for entry in word["nearest"])
                    found[word["text"]] = UnknownWord(word["text"], nearest)
    return list(found.values())


def drawable_words(words: Sequence[UnknownWord], nouns: Collection[str] | None) -> list[str]:
    """Return the words that captions can teach, because a pack's generator draws them.

    Args:
        words: that the bank does not know.
        nouns: all that the generator can draw; None where it draws anything, or that is not known.
    """
    return [word.text for word in words if nouns is not None and word.text in nouns]


def labels_every_pixel(summary: Summary) -> bool:
    """Whether each pixel was given one of the categories, even where none fits."""
    return bool(summary.get("parameters", {}).get("unknown", {}).get("way") == "none")
