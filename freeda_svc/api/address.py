"""The address at which the API is asked."""

import socket

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings


def bound_socket(settings: Settings) -> socket.socket:
    """Return a socket at the API's address.

    Raises:
        UnavailableError: the port cannot be had.
    """
    host, port = settings.api_host, settings.api_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named; else answers on a connection that is kept
    # open wait for the client's acknowledgement of their headers, 40 ms
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UnavailableError(
            f"api_port {port} at {host} cannot be had ({error.strerror}): another server may use it; set "
            "FREEDA_API_PORT to another port"
        ) from error
    return bound


def address_of(bound: socket.socket) -> str:
    """Return the address at which a bound socket is asked."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
