"""Logging of workers: JSON lines in a file, a readable console, and no secrets in either."""

import logging
import sys
import threading
import warnings
from functools import partial
from types import TracebackType
from typing import Any, TextIO

import billiard.util
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from freeda_svc.errors import one_line
from freeda_svc.loggers import configure_loggers
from freeda_svc.private_folders import make_private_folder
from freeda_svc.settings import Settings
from freeda_svc.workers.output_lines import OutputLines
from freeda_svc.workers.redaction import Redactor
from freeda_svc.workers.shared_log_file import SharedLogFile

_QUIET = (
    "httpx",
    "urllib3",
    "PIL",
    "filelock",
    "celery.worker.strategy",
    "celery.app.trace",
    "celery.apps.worker",
    "celery.worker.consumer.connection",
)
"""Libraries that log too much; our own messages cover items and the broker."""
_FILE_ONLY = frozenset({"freeda_svc.api.request_logs"})
"""Loggers of which people see warnings only, where a file keeps the rest: one writes a line for each request."""

log = structlog.get_logger(__name__)


def configure_logs(settings: Settings, *, to_file: bool = True) -> None:
    """Send structlog's and the standard library's messages to the console, and to the log file where one is kept.

    Where the console is for machines, whatever is printed in this process becomes a line of JSON on standard error.

    Args:
        settings: the installation.
        to_file: whether the file may be written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _without_colours,
    ]
    # Replaces what a command configured, which would else take effect at the first message.
    configure_loggers(
        partial(
            structlog.configure,
            processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=False,
        )
    )
    redactor = Redactor(settings)
    is_json = settings.log_format == "json"
    console = _Console(OutputLines.beneath(sys.stderr))
    console.setFormatter((_json_formatter if is_json else _console_formatter)(shared, redactor))
    handlers: list[logging.Handler] = [console]
    if settings.keep_log and to_file:
        make_private_folder(settings.logs_folder)
        file = SharedLogFile(settings.log_file)
        file.setFormatter(_json_formatter(shared, redactor))
        handlers.append(file)
        if not is_json:  # machines read all of it
            console.addFilter(_is_for_people)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        handler.addFilter(_tells_enough)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    log_pool_messages()
    _listen_to_the_rest()
    if is_json:
        sys.stdout, sys.stderr = OutputLines(sys.stdout, logging.INFO), OutputLines(sys.stderr, logging.WARNING)


def log_pool_messages() -> None:
    """Keep what billiard says from going to standard error by itself; to be called again when Celery has touched it."""
    pool = billiard.util.get_logger()
    pool.propagate = True
    pool.setLevel(logging.WARNING)


class _Console(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - named by the base class
        """Ignore a console that was closed."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


def _listen_to_the_rest() -> None:
    """Log warnings and uncaught exceptions like all other messages."""
    logging.captureWarnings(capture=True)
    warnings.formatwarning = _one_line
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda given: _tell_uncaught(given.exc_type, given.exc_value, given.exc_traceback)
    sys.unraisablehook = lambda given: _tell_uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,  # noqa: ARG001 - as given
) -> str:
    return f"{category.__name__}: {one_line(message)} ({filename}:{lineno})"


def _tell_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical("an uncaught exception", exc_info=(kind, error or kind(), trace))


def _without_colours(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the message with a terminal's colours that uvicorn adds to its own."""
    event.pop("color_message", None)
    return event


def _tells_enough(record: logging.LogRecord) -> bool:
    """Drop what libraries log at the root logger below a warning while they load a model."""
    return record.name != "root" or record.levelno >= logging.WARNING


def _is_for_people(record: logging.LogRecord) -> bool:
    return record.name not in _FILE_ONLY or record.levelno >= logging.WARNING


def _json_formatter(shared: list[Processor], redactor: Redactor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redactor,  # after tracebacks have become text
            structlog.processors.JSONRenderer(default=_readable),
        ],
    )


def _console_formatter(shared: list[Processor], redactor: Redactor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redactor,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )


def _readable(value: Any) -> str:  # noqa: ANN401 - whatever a library logs
    return repr(value)
