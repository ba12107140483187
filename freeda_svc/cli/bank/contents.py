"""``freeda bank stats | nouns | search``: what a bank holds."""

from math import ceil

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import bank_option, json_option
from freeda_svc.counts import count_by_size

BAR_WIDTH = 40


@click.command()
@bank_option
@json_option
@click.pass_context
def stats(context: click.Context, bank: str, *, as_json: bool) -> None:
    """Count prototypes, nouns, captions and jobs; show size and pack.

    \b
    Example:
      freeda bank stats --json
    """
    backend = open_backend(context)
    answer = backend.bank_stats(bank)
    histogram = answer.pop("nouns_by_prototypes", None)  # a server has counted them
    if histogram is None:
        histogram = count_by_size(backend.bank_nouns(bank).values())
    if as_json:
        print_json({**answer, "nouns_by_prototypes": histogram})
        return
    origins = ", ".join(f"{count} {origin}" for origin, count in answer.pop("origins").items())
    rows = [(row_name(name), value) for name, value in answer.items()]
    print_table(("what", "value"), [*rows, ("origins", origins)])
    if histogram:
        most = max(histogram.values())
        click.echo("")
        bars = [(size, count, "#" * ceil(BAR_WIDTH * count / most)) for size, count in histogram.items()]
        print_table(("prototypes of a noun", "nouns", ""), bars)


def row_name(key: str) -> str:
    """Return what tables call a value; what JSON calls the pack of a bank is the fingerprint of the pack's encoders."""
    return "fingerprint of encoders" if key == "pack" else key.replace("_", " ")


@click.command()
@bank_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show the N most frequent.")
@click.option("--details", is_flag=True, help="With --json: a list that also says which nouns the models know.")
@click.option("--json", "as_json", is_flag=True, help="Print all as JSON.")
@click.pass_context
def nouns(context: click.Context, bank: str, limit: int, *, details: bool, as_json: bool) -> None:
    """List nouns, those with most prototypes first.

    \b
    Examples:
      freeda bank nouns --limit 10
      freeda bank nouns --json --details
    """
    if details and not as_json:
        raise click.UsageError("--details goes with --json; the table has them anyway.")
    backend = open_backend(context)
    answer = backend.bank_nouns(bank)
    ranked = sorted(answer.items(), key=lambda entry: (-entry[1], entry[0]))
    if as_json and not details:
        print_json(dict(ranked))
        return
    pack, known = backend.pack_nouns()
    if as_json:
        print_json(
            [
                {"noun": noun, "prototypes": count, "known_to_pack": None if known is None else noun in known}
                for noun, count in ranked
            ]
        )
        return
    if known is None:
        print_table(("noun", "prototypes"), ranked[:limit])
    else:
        rows = [(noun, count, "yes" if noun in known else "no") for noun, count in ranked[:limit]]
        print_table(("noun", "prototypes", f"known to the models of {pack}"), rows)
    if len(ranked) > limit:
        click.echo(f"... and {len(ranked) - limit} more; --limit shows more, --json all.")


@click.command()
@click.argument("text")
@bank_option
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Show the N nearest keys.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with everything that is stored.")
@click.pass_context
def search(context: click.Context, text: str, bank: str, limit: int, *, as_json: bool) -> None:
    """Show the keys nearest to a text.

    These are what a category of that name would be compared with. `freeda bank show ID` shows one of them.

    \b
    Example:
      freeda bank search "sailing boat" --limit 5
    """
    answer = open_backend(context).search_bank(text, limit=limit, bank=bank)
    if as_json:
        print_json(answer)
        return
    rows = [(f"{entry['score']:.4f}", entry["noun"], entry["caption"], entry["id"]) for entry in answer]
    print_table(("score", "noun", "caption", "id"), rows)
