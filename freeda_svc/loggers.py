"""Loggers whose library is imported at the first message: most commands log nothing, and the import takes time."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_LIBRARY = "structlog"
_waiting: list[Callable[[], None]] = []  # one at most: what is to be done when the library is there


class _Logger:
    """Gives structlog's logger, which it is from the first message on."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> object:
        import structlog  # noqa: PLC0415 - see above

        while _waiting:
            _waiting.pop()()
        return getattr(structlog.get_logger(self._name), method)


def logger(name: str) -> "FilteringBoundLogger":
    """Return the logger of a module.

    Args:
        name: the module's ``__name__``.
    """
    return cast("FilteringBoundLogger", _Logger(name))


def configure_loggers(configure: Callable[[], None]) -> None:
    """Configure logging: at once where the library is loaded already, otherwise before the first message.

    Args:
        configure: calls ``structlog.configure``.
    """
    _waiting.clear()
    if _LIBRARY in sys.modules:
        configure()
    else:
        _waiting.append(configure)
