"""Who answers a command: a server where one is named, or this machine."""

import click

from freeda_svc.cli.backends.protocol import Backend
from freeda_svc.cli.session import read_settings


def open_backend(context: click.Context) -> Backend:
    """Return who answers a command, until it has ended.

    Raises:
        click.BadParameter: the value of an option is not usable.
        InputError: a setting is not.
    """
    settings = read_settings(context, anywhere=True)
    if not settings.server:
        from freeda_svc.cli.backends.local import LocalBackend  # noqa: PLC0415 - a server needs none of its libraries

        return LocalBackend(settings)
    from freeda_svc.cli.backends.remote import RemoteBackend  # noqa: PLC0415 - brings the network's library

    backend = RemoteBackend(settings)
    context.call_on_close(backend.close)
    return backend
