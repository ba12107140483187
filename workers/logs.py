"""What workers tell: JSON lines in a file for machines, a readable console for people, secrets for nobody."""

import logging
import logging.handlers
import sys
from typing import Any

import structlog
from structlog.typing import Processor

from freeda_svc.settings import Settings
from workers.redaction import Redactor

_QUIET = ("httpx", "urllib3", "PIL", "filelock", "celery.worker.strategy", "celery.app.trace")
"""Libraries that tell too much; what they say of tasks, ours say of items."""


def configure_logs(settings: Settings) -> None:
    """Send structlog's and the standard library's messages to the console, and to the log file where one is kept."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    redactor = Redactor(settings)
    console = logging.StreamHandler(sys.stderr)
    is_json = settings.log_format == "json"
    console.setFormatter((_json_formatter if is_json else _console_formatter)(shared, redactor))
    handlers: list[logging.Handler] = [console]
    if settings.keep_log:
        settings.logs_folder.mkdir(parents=True, exist_ok=True)
        file = logging.handlers.WatchedFileHandler(settings.log_file, encoding="utf-8")  # logrotate may move it away
        file.setFormatter(_json_formatter(shared, redactor))
        handlers.append(file)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        handler.addFilter(_tells_enough)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _tells_enough(record: logging.LogRecord) -> bool:
    """Leave out what libraries tell the root logger while they load a model, short of a warning."""
    return record.name != "root" or record.levelno >= logging.WARNING


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
