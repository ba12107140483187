"""Options and arguments that several commands share, and values of options that are wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from freeda_svc.cli.completion import complete_banks, complete_jobs
from freeda_svc.errors import InputError, NotFoundError, one_line
from freeda_svc.jobs import Priority

json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
outcome_option = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress, and no advice.")


@contextmanager
def option_value(option: str) -> Iterator[None]:
    """Make what the block finds wrong with the value of an option wrong usage, which exits with 2.

    Raises:
        click.BadParameter: the block raised an ``InputError`` or a ``NotFoundError``.
    """
    try:
        yield
    except (InputError, NotFoundError) as error:
        raise click.BadParameter(one_line(error), param_hint=f"'{option}'") from error


def checked_by(check: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str], str]:
    """Return a callback for an option or argument whose values a function checks; an empty one means not given."""

    def callback(_context: click.Context, parameter: click.Parameter, value: str) -> str:
        is_option = isinstance(parameter, click.Option)
        if value or not is_option:
            with option_value(parameter.opts[0] if is_option else parameter.make_metavar(_context)):
                check(value)
        return value

    return callback


def _check_bank(name: str) -> None:
    from freeda_svc.bank.banks import split_bank_name  # noqa: PLC0415 - its room brings numpy

    split_bank_name(name)


bank_option = click.option(
    "--bank",
    default="",
    metavar="NAME[@VERSION]",
    callback=checked_by(_check_bank),
    shell_complete=complete_banks,
    help="Which bank; its current version where none is given  [default: $FREEDA_BANK or default]",
)


job_argument = click.argument("job_id", metavar="JOB", shell_complete=complete_jobs)

jobs_argument = click.argument("job_ids", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_jobs)


def _read_priority(_context: click.Context, _parameter: click.Parameter, value: str) -> Priority:
    return Priority[value.upper()]


priority_option = click.option(
    "--priority",
    type=click.Choice([priority.name.lower() for priority in Priority], case_sensitive=False),
    default=Priority.NORMAL.name.lower(),
    show_default=True,
    callback=_read_priority,
    help="Of waiting items those of a higher priority begin first.",
)


def _check_key(key: str) -> None:
    from freeda_svc.jobs import check_key  # noqa: PLC0415 - brings the database's library

    check_key(key)


idempotency_key_option = click.option(
    "--idempotency-key",
    default="",
    metavar="KEY",
    callback=checked_by(_check_key),
    help="Your own name for this request: asking again under it gives the same job.",
)


def read_age(_context: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Read a time span such as 30d, 12h or 45m; the callback of an option, None where it is not given."""
    if value is None:
        return None
    from freeda_svc.jobs import parse_age  # noqa: PLC0415 - brings the database's library

    try:
        return parse_age(value)
    except InputError as error:
        raise click.BadParameter(str(error), param=parameter) from error
