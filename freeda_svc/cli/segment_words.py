"""Hints about the words that were asked for: those the bank does not know, and pixels that none of them fits."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from freeda_svc.batches import UnknownWord, drawable_words, labels_every_pixel, unknown_words
from freeda_svc.batches.reports import Summary
from freeda_svc.cli.backends import Backend
from freeda_svc.cli.segment_categories import AskedCategories
from freeda_svc.counts import counted

WORDS_SHOWN = 10
NEAREST_SHOWN = 3


def show_words(backend: Backend, summaries: Sequence[Summary], asked: AskedCategories, *, quiet: bool = False) -> None:
    """Say which words the bank does not know, and what helps where pixels take a category that does not fit.

    Args:
        backend: knows the pack.
        summaries: of segmented images, as ``freeda_svc.outputs.summarise`` makes them.
        asked: what they were segmented into.
        quiet: say nothing.
    """
    if quiet:
        return
    unknown = unknown_words(summaries)
    show_unknown_words(unknown)
    if unknown:
        _show_how_to_teach(backend, unknown)
    if summaries and not (asked.background or asked.categories is None or asked.proposed):
        _show_what_fits_none(summaries[0])


def show_stray_words(images: Iterable[Path], asked: AskedCategories) -> None:
    """Say how several categories are written, where words stand among the images: ``-c ball sky`` is easily typed."""
    words = [path.name for path in images if not path.suffix and str(path) == path.name and not path.exists()]
    if words and asked.categories:
        listed = ", ".join([asked.categories[-1].name, *words])
        click.echo(f"if {', '.join(words)} is to be looked for: write categories as one list, -c '{listed}'", err=True)


def show_unknown_words(words: Sequence[UnknownWord]) -> None:
    """Say which words the bank has no prototype of, and which nouns' prototypes were taken instead."""
    for word in words[:WORDS_SHOWN]:
        nearest = ", ".join(word.nearest[:NEAREST_SHOWN])
        click.echo(f"{word.text}: no prototype of that noun{nearest and f'; nearest: {nearest}'}", err=True)
    more = len(words) - WORDS_SHOWN
    if more > 0:
        click.echo(f"... and {counted(more, 'more word')} without a prototype; the summaries name all", err=True)


def _show_how_to_teach(backend: Backend, words: Sequence[UnknownWord]) -> None:
    pack, known = backend.pack_nouns()
    exemplars = "with images and masks of your own: `freeda bank add-exemplars`"
    drawn = drawable_words(words, known)
    if drawn:
        click.echo(f"ingest captions with {', '.join(drawn[:WORDS_SHOWN])}: `freeda ingest FILE`", err=True)
    if len(drawn) == len(words):
        return
    if known is not None:
        limits = f"captions teach the pack {pack} only its {counted(len(known), 'noun')}"
        click.echo(f"teach them {exemplars} ({limits})", err=True)
    else:
        click.echo(f"teach them with captions that name them: `freeda ingest FILE`, or {exemplars}", err=True)


def _show_what_fits_none(summary: Summary) -> None:
    if not labels_every_pixel(summary):
        return
    names = [category["name"] for category in summary["categories"]]
    what = "every pixel takes one of the categories, even where none fits"
    if len(names) == 1:
        what = f"every pixel is {names[0]!r}, as nothing else was named"
    click.echo(
        f"{what}: --background 'sky, wall' names what else there is, --unknown channel leaves out what fits none",
        err=True,
    )
