"""All workers of a broker use the same banks: an embedded one belongs to one worker, so none may work beside it.

The broker has the place of the banks they use, for as long as one of them lives.
"""

import socket
from typing import cast

from freeda_svc.errors import BusyError
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import broker_client

PLACE_KEY = "freeda:bank-place"
SERVER = "a Qdrant server"
KEPT_SECONDS = 60.0


def take_bank_place(settings: Settings, broker_url: str) -> None:
    """Say which banks this worker uses; asked again, it stays said.

    Raises:
        BusyError: the workers of the broker use others.
        UnavailableError: the broker does not answer.
    """
    mine = _place(settings)
    kept = int(1000 * max(KEPT_SECONDS, 5 * settings.reconcile_seconds))
    with broker_client(broker_url) as client:
        if client.set(PLACE_KEY, mine, nx=True, px=kept):
            return
        found = cast("bytes", client.get(PLACE_KEY) or b"").decode("utf-8", "replace")
        if found not in {mine, ""}:
            raise BusyError(
                f"the workers of this broker use {found}, this one would use {mine}: "
                "give all of them one qdrant_url, or stop the others first and wait a minute"
            )
        client.set(PLACE_KEY, mine, px=kept)


def leave_bank_place(settings: Settings, broker_url: str) -> None:
    """Let others come at once when the only worker of an embedded bank stops.

    Raises:
        UnavailableError: the broker does not answer.
    """
    if settings.embedded_bank:
        with broker_client(broker_url) as client:
            client.delete(PLACE_KEY)


def _place(settings: Settings) -> str:
    """Workers may call a server by different names, but an embedded bank lies in one place."""
    return f"the embedded bank {socket.gethostname()}:{settings.banks_folder}" if settings.embedded_bank else SERVER
