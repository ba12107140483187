"""What a person is told of the words that were asked for: those the bank does not know, and pixels that fit none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.segment_categories import AskedCategories
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings

WORDS_SHOWN = 10
NEAREST_SHOWN = 3

Summary = Mapping[str, Any]


def tell_words(
    settings: Settings, summaries: Sequence[Summary], asked: AskedCategories, *, quiet: bool = False
) -> None:
    """Say which words the bank does not know, and what helps where pixels take a category that does not fit.

    Args:
        settings: the installation.
        summaries: of segmented images, as ``freeda_svc.outputs.summarise`` makes them.
        asked: what they were segmented into.
        quiet: no advice.
    """
    unknown = tell_unknown_words(summaries)
    if unknown and not quiet:
        _tell_how_to_teach(settings, unknown)
    if summaries and not (quiet or asked.background or asked.categories is None or asked.proposed):
        _tell_what_fits_none(summaries[0])


def tell_stray_words(images: Iterable[Path], asked: AskedCategories) -> None:
    """Say how several categories are written, where words stand among the images: ``-c ball sky`` is easily typed."""
    words = [path.name for path in images if not path.suffix and str(path) == path.name and not path.exists()]
    if words and asked.categories:
        listed = ", ".join([asked.categories[-1]["name"], *words])
        click.echo(f"if {', '.join(words)} is to be looked for: write categories as one list, -c '{listed}'", err=True)


def tell_unknown_words(summaries: Iterable[Summary]) -> list[str]:
    """Say of each word that the bank has no prototype of, once, which nouns stood in for it.

    Args:
        summaries: of segmented images, as ``freeda_svc.outputs.summarise`` makes them.

    Returns:
        The words.
    """
    lines: dict[str, str] = {}
    for word in _unknown_words(summaries):
        if word["text"] not in lines:
            nearest = ", ".join(entry["noun"] for entry in word["nearest"][:NEAREST_SHOWN])
            told = f"{word['text']}: no prototype of that noun"
            lines[word["text"]] = f"{told}; nearest: {nearest}" if nearest else told
    for line in list(lines.values())[:WORDS_SHOWN]:
        click.echo(line, err=True)
    more = len(lines) - WORDS_SHOWN
    if more > 0:
        click.echo(f"... and {more} more words without a prototype; the summaries name all", err=True)
    return list(lines)


def _tell_how_to_teach(settings: Settings, words: Sequence[str]) -> None:
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    exemplars = "with images and masks of your own: `freeda bank add-exemplars`"
    drawn = [word for word in words if pack.nouns is not None and word in pack.nouns]
    if drawn:
        click.echo(f"ingest captions with {', '.join(drawn[:WORDS_SHOWN])}: `freeda ingest FILE`", err=True)
    if len(drawn) == len(words):
        return
    if pack.nouns is not None:
        told = f"teach them {exemplars} (captions teach the pack {pack.name} only its {len(pack.nouns)} nouns)"
    else:
        told = f"teach them with captions that name them: `freeda ingest FILE`, or {exemplars}"
    click.echo(told, err=True)


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
