"""``freeda completion``, and what a shell may complete besides commands: jobs, banks, packs and vocabularies.

Completion is a convenience: whatever goes wrong, nothing is completed, and no home is made for it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import wraps

import click
from click.shell_completion import CompletionItem, get_completion_class

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted
from freeda_svc.errors import FreedaError

VARIABLE = "_FREEDA_COMPLETE"
JOBS_OFFERED = 50
_INSTALLING = {
    "bash": """\
# Completion of freeda for bash 4.4 or later. For this shell: source <(freeda completion bash)
# For all: freeda completion bash > ~/.local/share/bash-completion/completions/freeda
#     (with the package bash-completion), or add the line above to ~/.bashrc""",
    "zsh": """\
# Completion of freeda for zsh. For this shell: source <(freeda completion zsh)
# For all: freeda completion zsh > "${fpath[1]}/_freeda", or add the line above to ~/.zshrc after compinit""",
    "fish": """\
# Completion of freeda for fish. For this shell: freeda completion fish | source
# For all: freeda completion fish > ~/.config/fish/completions/freeda.fish""",
}

Candidates = Callable[[click.Context], Iterator[CompletionItem]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(tuple(_INSTALLING)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands in your shell.

    Commands, options, ids of jobs, names of banks, packs and vocabularies are completed. The first lines of the script
    say how to install it.

    \b
    Examples:
      source <(freeda completion bash)
      freeda completion zsh > "${fpath[1]}/_freeda"
      freeda completion fish > ~/.config/fish/completions/freeda.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "freeda", VARIABLE).source()
    head, separator, rest = script.partition("\n") if shell == "zsh" else ("", "", script)  # zsh reads the first line
    click.echo(f"{head}{separator}{_INSTALLING[shell]}\n{rest}", nl=False)


def _completing(candidates: Candidates) -> Complete:
    """Make of candidates what Click asks: those that begin with what was typed."""

    @wraps(candidates)
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return [item for item in candidates(context) if item.value.startswith(incomplete)]
        except (FreedaError, OSError):
            return []

    return complete


@_completing
def complete_jobs(context: click.Context) -> Iterator[CompletionItem]:
    """Ids of the newest jobs."""
    backend = open_backend(context)
    settings = backend.settings
    if not backend.place and settings.embedded_database and not settings.database_file.is_file():
        return
    from freeda_svc.jobs import JobFilter  # noqa: PLC0415 - only when there are any

    for job in backend.list_jobs(limit=JOBS_OFFERED, wanted=JobFilter()):
        yield CompletionItem(job.id, help=f"{job.kind} {job.state} {job.source}")


@_completing
def complete_banks(context: click.Context) -> Iterator[CompletionItem]:
    """Names of banks, and of their versions; not those of a Qdrant server, which would take a second."""
    backend = open_backend(context)
    settings = backend.settings
    if backend.place:
        yield from (CompletionItem(str(entry["bank"])) for entry in backend.list_banks())
        return
    if settings.qdrant_url:
        return
    from freeda_svc.jobs import open_banks  # noqa: PLC0415 - brings the engine

    with closing(open_banks(settings)) as banks:
        for summary in banks.summaries():
            size = counted(summary.prototypes, "prototype")
            if summary.current:
                yield CompletionItem(summary.bank.name, help=size)
            yield CompletionItem(str(summary.bank), help=size)


@_completing
def complete_packs(context: click.Context) -> Iterator[CompletionItem]:
    """Names of bundled packs and recipes, and of packs that were fetched."""
    from freeda_svc.packs import BUNDLED, MANIFEST, bundled_recipes  # noqa: PLC0415 - only to complete

    fetched = (
        path.parent.name for path in read_settings(context, anywhere=True).packs_folder.glob(f"[!.]*/{MANIFEST}")
    )
    for name in sorted({*BUNDLED, *bundled_recipes(), *fetched}):
        yield CompletionItem(name)


@_completing
def complete_vocabularies(_context: click.Context) -> Iterator[CompletionItem]:
    """Names of vocabularies."""
    from freeda_svc.vocabularies import list_vocabularies  # noqa: PLC0415 - only to complete

    for name, title in list_vocabularies().items():
        yield CompletionItem(name, help=title)
