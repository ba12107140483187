"""Serving the API: one process, until it is stopped."""

import socket
from collections.abc import Callable
from typing import cast

import uvicorn
from fastapi import FastAPI

from freeda_svc.api.access import check_access
from freeda_svc.api.address import address_of, bound_socket
from freeda_svc.api.application import make_application
from freeda_svc.api.connections import protocol_of
from freeda_svc.errors import InputError
from freeda_svc.settings import Settings

SHUTDOWN_SECONDS = 5
KEEP_ALIVE_SECONDS = 20


def serve_api(settings: Settings, *, on_ready: Callable[[str], None] = lambda _address: None) -> None:
    """Answer at ``api_host`` and ``api_port`` until Ctrl-C or SIGTERM.

    Args:
        settings: the installation.
        on_ready: called with the server's address once it can be asked.

    Raises:
        InputError: there is no port, or keys are needed and none is valid, or callbacks cannot be signed.
        UnavailableError: the port cannot be had, or the database does not answer.
    """
    if not settings.api_port:
        raise InputError("api_port is 0, which means no API: give it a port, such as 8470")
    check_access(settings)
    with bound_socket(settings) as bound:
        config = uvicorn.Config(
            make_application(settings),
            log_config=None,
            access_log=False,
            http=protocol_of(settings),
            ws="none",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            lifespan="on",
        )
        on_ready(address_of(bound))
        _Server(config).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Lets requests that wait for jobs answer before it stops: otherwise they would be cut off."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cast("FastAPI", self.config.app).state.context.changes.end()
        await super().shutdown(sockets)
