"""The ``freeda`` command: one group, its subcommands loaded when they are called."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.command_groups import Entry, ListedGroup, refuse_repeats
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Interrupted, show_usage_error
from freeda_svc.cli.interrupts import watched_interrupts
from freeda_svc.cli.terminal_text import printable
from freeda_svc.errors import FreedaError, one_line

ACCEPTANCE = "freeda_svc.jobs.acceptance"
NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""None is used here, and looking for them reads the metadata of every package that is installed."""


COMMANDS: dict[str, Entry] = {
    "demo": Entry("demo:demo", "Go from captions to masks on the miniature world."),
    "samples": Entry("samples:samples", "Write sample captions and pictures to try the commands on."),
    "init": Entry("configuration:init", "Write a commented settings file."),
    "config": Entry("configuration:config", "Show every setting and where its value came from."),
    "doctor": Entry("doctor:doctor", "Check every part of the installation, and suggest fixes."),
    "up": Entry("service:up", "Run the broker, a worker and the HTTP API until Ctrl-C."),
    "serve": Entry("service:serve", "Run the HTTP API alone until Ctrl-C, beside workers that run elsewhere."),
    "keys": Entry("keys:keys", "Create, list and revoke keys of the HTTP API."),
    "worker": Entry("service:worker", "Run a worker on a broker of your own until Ctrl-C."),
    "logs": Entry("logs:logs", "Show the last lines of the worker's log."),
    "captions": Entry("captions:captions", "Inspect caption files; nothing is ingested."),
    "ingest": Entry("ingest:ingest", "Turn captions into prototypes and add them to the bank."),
    "segment": Entry("segment:segment", "Label every pixel of images with a category."),
    "eval": Entry("evaluation:evaluation", "Measure how well images with true labels are segmented."),
    "jobs": Entry("jobs:jobs", "List, watch, cancel and retry jobs; fetch their results."),
    "queue": Entry("queue:queue", "Show waiting and running items."),
    "top": Entry("top:top", "Watch jobs, queue and worker live."),
    "bank": Entry("bank:bank", "Inspect and change banks of prototypes, also while a worker uses them."),
    "packs": Entry("packs:packs", "List, fetch and verify model packs: three models with their settings."),
    "backup": Entry("backups:backup", "Back up this home into a new folder."),
    "restore": Entry("backups:restore", "Restore a backup into a home that does not exist yet."),
    "db": Entry("database:database", "Bring the database of jobs up to date."),
    "completion": Entry("completion:completion", "Print a script that completes commands in your shell."),
}


class FreedaGroup(ListedGroup):
    """The group of all commands, which shows expected errors as one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, also those of the subcommand as far as to see that no value is given and lost."""
        if not ctx.resilient_parsing:
            refuse_repeats(self, args, ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's interface
        """Run the command; an expected error becomes one line and exit code 1, Ctrl-C one line and 130."""
        if not gc.isenabled():
            gc.freeze()  # what was imported lives as long as the process
            gc.enable()
        try:
            return super().invoke(ctx)
        except FreedaError as error:
            raise click.ClickException("\n".join([printable(one_line(error)), *_jobs_left(ctx, str(error))])) from error
        except KeyboardInterrupt:
            raise Interrupted(_last_words()) from None


@click.group(cls=FreedaGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory that holds everything of a run  [default: $FREEDA_HOME or ~/.freeda]",
)
@click.option(
    "--server",
    metavar="ADDRESS",
    help="Ask the server at this address, in the place of this machine: segment, ingest, jobs, bank  "
    "[default: $FREEDA_SERVER; its key: $FREEDA_SERVER_KEY]",
)
@click.version_option(package_name="freeda-svc")
@click.pass_context
def freeda(context: click.Context, home: Path | None, server: str | None) -> None:
    """Segment images into any categories you can name, without training.

    \b
    A first session, in two terminals:
      freeda up                                     the broker and the worker
      freeda ingest captions.txt --wait             captions become prototypes
      freeda segment photo.png -c "ball, sky" --out masks --wait

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly failed, 130 interrupted.
    """
    context.obj = {name: value for name, value in (("home", home), ("server", server)) if value is not None}


def main() -> None:
    """Run the command line; Ctrl-C ends it with exit code 130, within seconds."""
    os.environ.setdefault(*NO_PLUGINS)
    gc.disable()  # until the command is imported
    acceptance = sys.modules.get(ACCEPTANCE)
    if acceptance is not None:
        acceptance.forget_jobs_of_this_process()
    with watched_interrupts(_last_words) as watch:
        try:
            _run()
        except KeyboardInterrupt:
            Interrupted(_last_words()).show()
            sys.exit(EXIT_INTERRUPTED)
        except Exception:
            if watch is None or not watch.pressed:
                raise
            Interrupted(_last_words()).show()  # a library made something else of it
            sys.exit(EXIT_INTERRUPTED)
        finally:
            if watch is not None:
                watch.reported = True


def _run() -> None:
    try:
        code = freeda(prog_name="freeda", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        show_usage_error(error)
        sys.exit(EXIT_USAGE)
    except click.exceptions.Abort:
        Interrupted(_last_words()).show()
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except FreedaError as error:  # before the command was invoked
        click.ClickException(printable(one_line(error))).show()
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed at the exit
        sys.exit(EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _last_words() -> str:
    return " ".join(["Interrupted.", *(_as_accepted(job, known) for job, known in _jobs_made().items())])


def _jobs_made() -> dict[str, bool]:
    """The jobs that this command has made; False for those that may not have been accepted."""
    acceptance = sys.modules.get(ACCEPTANCE)  # commands that make none do without it
    return {} if acceptance is None else acceptance.jobs_of_this_process()


def _as_accepted(job_id: str, is_accepted: bool) -> str:
    return (
        f"Job {job_id} {'was' if is_accepted else 'may have been'} accepted: `freeda jobs show {job_id}` shows how far "
        f"it is, `freeda jobs cancel {job_id}` ends it."
    )


def _jobs_left(context: click.Context, message: str) -> list[str]:
    """Return a line for each job that a failing command has made, unless its message names it: how far it came."""
    made = {job_id: is_accepted for job_id, is_accepted in _jobs_made().items() if job_id not in message}
    lines = []
    for job_id, is_accepted in made.items():
        from freeda_svc.cli.backends import open_backend  # noqa: PLC0415 - who has made a job has imported most of it
        from freeda_svc.cli.following import ended_as  # noqa: PLC0415 - as above

        try:
            ended = ended_as(open_backend(context), job_id)
        except FreedaError:  # the database, mostly; the command's own error says why
            ended = ""
        lines.append(ended or _as_accepted(job_id, is_accepted))
    return lines
