"""What commands about jobs share: naming a job, priority, idempotency key, and time spans."""

from datetime import timedelta

import click

from freeda_svc.cli.completing import complete_jobs
from freeda_svc.cli.options import checked_by
from freeda_svc.jobs.states import Priority

LONGEST_AGE = timedelta(days=36_500)
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

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
    from freeda_svc.jobs.acceptance import check_key  # noqa: PLC0415 - brings the database's library

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
    number, unit = value[:-1], _UNITS.get(value[-1:])
    if unit is None or not (number.isascii() and number.isdecimal()):
        reason = f"{value!r} is no time span; write a number with d, h, m or s, such as 30d."
        raise click.BadParameter(reason, param=parameter)
    try:
        age = timedelta(**{unit: int(number)})
    except (OverflowError, ValueError):  # so many digits, too
        age = timedelta.max
    if age > LONGEST_AGE:
        raise click.BadParameter(f"{value!r} is too long a time span.", param=parameter)
    return age
