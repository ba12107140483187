"""Ports for the servers of tests."""

import socket


def free_port() -> int:
    """Return a port of the loopback address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
