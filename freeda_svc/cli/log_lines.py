"""What the code below tells its log, as a person at a command sees it: warnings only, one line each, on stderr."""

import logging
import sys
from typing import TYPE_CHECKING

from freeda_svc.errors import one_line
from freeda_svc.loggers import configure_loggers

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger


def configure_command_logs() -> None:
    """Keep log lines off standard output, where programs read what a command was asked for."""
    configure_loggers(_configure)


def _configure() -> None:
    import structlog  # noqa: PLC0415 - only when something is told

    structlog.configure(
        processors=[structlog.stdlib.add_log_level, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _as_line(_logger: "WrappedLogger", _method: str, event: "EventDict") -> str:
    told = ", ".join(f"{name} {value}" for name, value in event.items() if name not in {"event", "level"})
    line = f"{event['level']}: {event['event']}" + (f" ({told})" if told else "")
    return one_line(line)
