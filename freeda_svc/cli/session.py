"""What every command begins with: settings, the log on stderr, and the queue that carries messages."""

from typing import TYPE_CHECKING, Any

import click

from freeda_svc.settings import GivenValueError, Settings, load_settings

if TYPE_CHECKING:
    from freeda_svc.jobs import Dispatcher
import logging
import sys
from typing import TYPE_CHECKING

from freeda_svc.errors import one_line
from freeda_svc.loggers import configure_loggers

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger


_OPTIONS = {"worker_name": "--name", "api_host": "--host", "api_port": "--port"}


def read_settings(
    context: click.Context,
    *,
    anywhere: bool = False,
    **options: Any,  # noqa: ANN401 - settings check them
) -> Settings:
    """Return the settings with the options of the command line put over them; None means not given.

    Args:
        context: of the command.
        anywhere: whether the command does its work also where a server is named.
        options: of the command, that are settings.

    Raises:
        click.BadParameter: the value of an option is not usable.
        InputError: what the environment or the settings file says is not.
    """
    configure_command_logs()
    try:
        settings = load_settings(**given_options(context), **options)
    except GivenValueError as error:
        option = _OPTIONS.get(error.key, f"--{error.key}")
        raise click.BadParameter(error.reason, context, param_hint=f"'{option}'") from error
    if settings.server and not anywhere:
        raise click.UsageError(
            f"`{context.command_path}` works on this machine only, and a server is named: leave out --server, or unset "
            "FREEDA_SERVER.",
            context,
        )
    return settings


def given_options(context: click.Context) -> dict[str, Any]:
    """Return the settings that were given as options before the subcommand."""
    root = context.find_root()
    given = {name: root.params.get(name) for name in ("home", "server")}  # also there while a shell completes
    return {name: value for name, value in given.items() if value is not None}


def open_dispatcher(settings: Settings) -> "Dispatcher":
    """Return what carries messages to the workers."""
    from freeda_svc.workers import CeleryDispatcher  # noqa: PLC0415 - brings the broker's library

    return CeleryDispatcher(settings)


def configure_command_logs() -> None:
    """Keep log lines off standard output, where programs read what a command was asked for."""
    configure_loggers(_configure)


def _configure() -> None:
    import structlog  # noqa: PLC0415 - only when something is logged

    structlog.configure(
        processors=[structlog.stdlib.add_log_level, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _as_line(_logger: "WrappedLogger", _method: str, event: "EventDict") -> str:
    values = ", ".join(f"{name} {value}" for name, value in event.items() if name not in {"event", "level"})
    line = f"{event['level']}: {event['event']}" + (f" ({values})" if values else "")
    return one_line(line)
