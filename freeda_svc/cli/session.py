"""What every command begins with: the settings, and the queue that carries messages."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from freeda_svc.settings import Settings, load_settings

if TYPE_CHECKING:
    from freeda_svc.jobs import Dispatcher


def read_settings(context: click.Context) -> Settings:
    """Return the settings with the options given before the subcommand put over them."""
    options: dict[str, Path] = context.find_root().obj or {}
    return load_settings(**options)


def open_dispatcher(settings: Settings) -> "Dispatcher":
    """Return what carries messages to the workers."""
    from workers.dispatcher import CeleryDispatcher  # noqa: PLC0415 - Celery takes a third of a second to import

    return CeleryDispatcher(settings)
