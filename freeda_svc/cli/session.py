"""What every command begins with: settings, the log on stderr, and the queue that carries messages."""

from pathlib import Path
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


def read_settings(context: click.Context, **options: Any) -> Settings:  # noqa: ANN401 - settings check them
    """Return the settings with the options of the command line put over them; None means not given.

    Raises:
        click.BadParameter: the value of an option is not usable.
        InputError: what the environment or the settings file says is not.
    """
    configure_command_logs()
    try:
        return load_settings(**given_options(context), **options)
    except GivenValueError as error:
        option = _OPTIONS.get(error.key, f"--{error.key}")
        raise click.BadParameter(error.reason, context, param_hint=f"'{option}'") from error


def given_options(context: click.Context) -> dict[str, Any]:
    """Return the settings that were given as options before the subcommand."""
    root = context.find_root()
    home: Path | None = root.params.get("home")  # also there while a shell completes
    return {} if home is None else {"home": home}


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
