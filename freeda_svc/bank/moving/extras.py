"""The library that archives need; it comes with an extra of the package."""

from importlib import import_module
from typing import Any

from freeda_svc.errors import UnavailableError, one_line


def load_parquet() -> tuple[Any, Any]:
    """Import pyarrow and its Parquet module, which the extra ``parquet`` brings; slow, so not before it is needed.

    Raises:
        UnavailableError: it is not installed, or its installation is broken.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        reason = one_line(error)
        raise UnavailableError(
            f"an archive of a bank needs pyarrow ({reason}); pip install 'freeda-svc[parquet]'"
        ) from error
