"""``python -m benchmarks [NAME ...]``: run all benchmarks, or those named."""

import importlib
from collections.abc import Sequence

import click

from benchmarks.results import write_results
from freeda_svc.errors import UnavailableError

NAMES = (
    "stages",
    "offline",
    "offline_transformers",
    "parameters",
    "parameters_wide",
    "unknown",
    "nouns",
    "curation",
    "exemplars",
    "captions_per_noun",
    "appearance",
    "retrieval",
    "retrieval_depth",
    "votes",
    "segmentation",
    "encoders",
    "gpu",
    "proposals",
    "scaling",
    "queue",
    "commands",
    "memory",
    "api",
)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
def main(names: Sequence[str]) -> None:
    """Run the benchmarks NAMES (all when none is named) and write their results."""
    for name in names or NAMES:
        try:
            results = importlib.import_module(f"benchmarks.{name}").run()
        except UnavailableError as error:
            if names:
                raise click.ClickException(str(error)) from error
            click.echo(f"{name} is left out: {error}", err=True)
            continue
        path = write_results(name, results)
        click.echo(f"{path}")
        for result in results:
            ratio = "" if result.ratio is None else f"   {result.ratio:.2f} of {result.against}"
            click.echo(f"  {result.name:45s} {result.value:12.3f} {result.unit}{ratio}")


if __name__ == "__main__":
    main()
