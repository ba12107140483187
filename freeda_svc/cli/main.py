"""The ``freeda`` command: one group, its subcommands loaded when they are called."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.endings import EXIT_INTERRUPTED, EXIT_USAGE, Interrupted, show_usage_error
from freeda_svc.errors import FreedaError

COMMANDS: dict[str, str] = {
    "demo": "freeda_svc.cli.demo:demo",
    "up": "freeda_svc.cli.service:up",
    "worker": "freeda_svc.cli.service:worker",
    "captions": "freeda_svc.cli.captions:captions",
    "ingest": "freeda_svc.cli.ingest:ingest",
    "segment": "freeda_svc.cli.segment:segment",
    "jobs": "freeda_svc.cli.jobs:jobs",
    "bank": "freeda_svc.cli.bank:bank",
    "packs": "freeda_svc.cli.packs:packs",
    "db": "freeda_svc.cli.database:database",
}


class FreedaGroup(click.Group):
    """A group that imports a subcommand when it is asked for, and shows expected errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the subcommands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a subcommand; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's interface
        """Run the command; an expected error becomes one line and exit code 1, Ctrl-C one line and 130."""
        try:
            return super().invoke(ctx)
        except FreedaError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt:
            raise Interrupted("Interrupted.") from None


@click.group(cls=FreedaGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory that holds everything of a run  [default: $FREEDA_HOME or ~/.freeda]",
)
@click.version_option(package_name="freeda-svc")
@click.pass_context
def freeda(context: click.Context, home: Path | None) -> None:
    """Segment images into any categories you can name, without training.

    \b
    A first session, in two terminals:
      freeda up                                     the broker and the worker
      freeda ingest captions.txt --wait             captions become prototypes
      freeda segment photo.png -c "ball, sky" --out masks --wait
    """
    context.obj = {} if home is None else {"home": home}


def main() -> None:
    """Run the command line; Ctrl-C ends it with exit code 130."""
    try:
        code = freeda(prog_name="freeda", standalone_mode=False)
    except click.UsageError as error:
        show_usage_error(error)
        sys.exit(EXIT_USAGE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        Interrupted("Interrupted.").show()
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
