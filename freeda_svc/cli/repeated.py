"""Options that were given twice: Click keeps the last value and drops the others without a word."""

from collections import Counter
from collections.abc import Sequence

import click


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
