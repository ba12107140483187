"""Groups of commands: listed without importing them, and refused where an option is given twice."""

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """Where a command is, ``module:name`` below this package, and what listings say of it.

    Importing all commands of a group for a listing, or for one of them, would take a second.
    """

    place: str
    summary: str


class ListedGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:  # noqa: ANN401 - click's
        """Make it as `click.Group` is made.

        Args:
            args: as click hands them over.
            entries: the commands by name, in the order in which a newcomer needs them.
            kwargs: as above.
        """
        super().__init__(*args, **kwargs)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the subcommands in their order."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a subcommand; None when there is none of that name."""
        if cmd_name not in self._entries:
            return None
        module, name = self._entries[cmd_name].place.split(":")
        command: click.Command = getattr(importlib.import_module(f"{__package__}.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand; where there is none of that name, name one that looks like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            alike = get_close_matches(args[0], self._entries, n=1)
            if not alike:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{alike[0]}'?", error.ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a subcommand without importing them, or an option."""
        found = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def refuse_repeats(command: click.Command, arguments: Sequence[str], context: click.Context) -> None:
    """See that no option that takes one value is given twice, in the command or the subcommand that is called.

    What else is wrong with the arguments is left to Click, which reads them again.

    Args:
        command: that is called.
        arguments: behind its name.
        context: of the command.

    Raises:
        UsageError: one is.
    """
    try:
        _, rest, order = command.make_parser(context).parse_args(list(arguments))
    except click.UsageError:
        return
    for parameter, times in Counter(order).items():
        if times > 1 and _takes_one(parameter):
            option = max(parameter.opts, key=len)
            raise click.UsageError(
                f"{option} is given {_times(times)} and takes one value; leave out the others.", context
            )
    if isinstance(command, click.Group) and rest:
        below = command.get_command(context, rest[0])
        if below is not None:
            with click.Context(below, info_name=rest[0], parent=context) as inner:
                refuse_repeats(below, rest[1:], inner)


def _takes_one(parameter: click.Parameter) -> bool:
    """Whether a second value would take the place of the first; of flags there is nothing to lose."""
    return isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag or parameter.count)


def _times(times: int) -> str:
    return "twice" if times == 2 else f"{times} times"  # noqa: PLR2004 - that is what it means
