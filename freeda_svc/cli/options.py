"""Options that most commands share, and values of options that are wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from freeda_svc.errors import InputError, NotFoundError, one_line

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
