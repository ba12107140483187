"""``freeda bank``: what the bank of prototypes holds."""

import click

from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.session import read_settings
from freeda_svc.packs.description import read_pack_parameters
from workers.queries import bank_nouns, bank_stats, search_bank


@click.group()
def bank() -> None:
    """Look into the bank of prototypes, also while a worker uses it."""


@bank.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def stats(context: click.Context, *, as_json: bool) -> None:
    """Count prototypes, nouns, captions and jobs; tell size and pack.

    \b
    Example:
      freeda bank stats --json
    """
    answer = bank_stats(read_settings(context))
    if as_json:
        print_json(answer)
    else:
        print_table(("what", "value"), [(name.replace("_", " "), value) for name, value in answer.items()])


@bank.command()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show the N most frequent.")
@click.option("--json", "as_json", is_flag=True, help="Print all as JSON.")
@click.pass_context
def nouns(context: click.Context, limit: int, *, as_json: bool) -> None:
    """List nouns, those with most prototypes first.

    \b
    Example:
      freeda bank nouns --limit 10
    """
    settings = read_settings(context)
    answer = bank_nouns(settings)
    ranked = sorted(answer.items(), key=lambda entry: (-entry[1], entry[0]))
    if as_json:
        print_json(dict(ranked))
        return
    known = read_pack_parameters(settings.pack, settings.packs_folder).nouns
    if known is None:
        print_table(("noun", "prototypes"), ranked[:limit])
    else:
        rows = [(noun, count, "yes" if noun in known else "no") for noun, count in ranked[:limit]]
        print_table(("noun", "prototypes", f"known to the models of {settings.pack}"), rows)
    if len(ranked) > limit:
        click.echo(f"... and {len(ranked) - limit} more; --limit shows more, --json all.")


@bank.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Show the N nearest keys.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with everything that is stored.")
@click.pass_context
def search(context: click.Context, text: str, limit: int, *, as_json: bool) -> None:
    """Show the keys nearest to a text.

    These are what a category of that name would be compared with.

    \b
    Example:
      freeda bank search "sailing boat" --limit 5
    """
    answer = search_bank(read_settings(context), text, limit=limit)
    if as_json:
        print_json(answer)
        return
    rows = [(f"{entry['score']:.4f}", entry["noun"], entry["caption"]) for entry in answer]
    print_table(("score", "noun", "caption"), rows)
