"""What a person is told of the words that were asked for: those the bank does not know, and pixels that fit none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from freeda_svc.cli.segment_categories import AskedCategories

WORDS_SHOWN = 10
NEAREST_SHOWN = 3

Summary = Mapping[str, Any]


def tell_words(summaries: Sequence[Summary], asked: AskedCategories, *, quiet: bool = False) -> None:
    """Say which words the bank does not know, and what helps where pixels take a category that does not fit.

    Args:
        summaries: of segmented images, as ``freeda_svc.outputs.summarise`` makes them.
        asked: what they were segmented into.
        quiet: no advice.
    """
    tell_unknown_words(summaries)
    if summaries and not (quiet or asked.background or asked.categories is None or asked.proposed):
        _tell_what_fits_none(summaries[0])


def tell_unknown_words(summaries: Iterable[Summary]) -> None:
    """Say of each word that the bank has no prototype of, once, which nouns stood in for it.

    Args:
        summaries: of segmented images, as ``freeda_svc.outputs.summarise`` makes them.
    """
    lines: dict[str, str] = {}
    for word in _unknown_words(summaries):
        if word["text"] not in lines:
            nearest = ", ".join(entry["noun"] for entry in word["nearest"][:NEAREST_SHOWN])
            lines[word["text"]] = f"{word['text']}: no prototype of that noun" + (
                f"; nearest: {nearest}" * bool(nearest)
            )
    for line in list(lines.values())[:WORDS_SHOWN]:
        click.echo(line, err=True)
    if len(lines) > WORDS_SHOWN:
        click.echo(
            f"... and {len(lines) - WORDS_SHOWN} more words without a prototype; the summaries name all", err=True
        )


def _unknown_words(summaries: Iterable[Summary]) -> Iterator[Mapping[str, Any]]:
    for summary in summaries:
        for category in summary["categories"]:
            for word in category.get("words", ()):  # results of older workers have none
                if not word["prototypes"]:
                    yield word


def _tell_what_fits_none(summary: Summary) -> None:
    if summary.get("parameters", {}).get("unknown", {}).get("way") != "none":
        return
    names = [category["name"] for category in summary["categories"]]
    told = "every pixel takes one of the categories, even where none fits"
    if len(names) == 1:
        told = f"every pixel is {names[0]!r}, as nothing else was named"
    click.echo(
        f"{told}: --background 'sky, wall' names what else there is, --unknown channel leaves out what fits none",
        err=True,
    )
