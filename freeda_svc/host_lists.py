"""Lists of hosts in settings, as in ``example.org, hooks.example.org:8443, [2001:db8::1]:80``, and hosts in headers."""

import ipaddress
import re
from dataclasses import dataclass

from freeda_svc.errors import InputError

LONGEST_NAME = 253
MOST_PORT = 65535
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_WITH_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class ListedHost:
    """A host, perhaps with a port.

    Attributes:
        host: in lower case, without a final dot; an IP address in its shortest form and without brackets.
        port: None when none was given.
    """

    host: str
    port: int | None = None


def read_host(text: str) -> ListedHost | None:
    """Return a host with or without a port, as headers and settings write it; None when it is neither.

    >>> read_host("Hooks.Example.org.:8443")
    ListedHost(host='hooks.example.org', port=8443)
    >>> read_host("[::1]")
    ListedHost(host='::1', port=None)
    """
    parts = _WITH_PORT.fullmatch(text)
    if parts is None:
        return None
    host = normal_host(parts["host"])
    port = None if parts["port"] is None else int(parts["port"])
    if host is None or (port is not None and not 0 < port <= MOST_PORT):
        return None
    return ListedHost(host, port)


def normal_host(text: str) -> str | None:
    """Return a host's name or IP address in the one form in which it is compared; None when it is neither."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else None
    address = ip_address_of(text if inner is None else inner)
    if address is not None:
        is_right = (inner is None) == (address.version == 4)  # noqa: PLR2004 - IPv6 stands in brackets
        return str(address) if is_right else None
    name = text.lower().removesuffix(".")
    return name if inner is None and len(name) <= LONGEST_NAME and _NAME.fullmatch(name) else None


def ip_address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address without a zone; None when the text is none."""
    try:
        return ipaddress.ip_address(host) if "%" not in host else None
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can ask at an address to listen at, given as a setting writes it.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    address = ip_address_of(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def read_hosts(hosts: str) -> tuple[ListedHost, ...]:
    """Return the hosts of a setting that was checked."""
    found = (read_host(part.strip()) for part in hosts.split(",") if part.strip())
    return tuple(host for host in found if host is not None)


def check_hosts(about: str, hosts: str, *, ports: bool) -> str:
    """Return a list of hosts as it was given.

    Args:
        about: the setting.
        hosts: separated by commas.
        ports: whether they may have ports.

    Raises:
        InputError: one of them is no host.
    """
    for part in hosts.split(","):
        found = read_host(part.strip()) if part.strip() else None
        if part.strip() and (found is None or (found.port is not None and not ports)):
            form = "HOST or HOST:PORT" if ports else "HOST without a port"
            raise InputError(
                f"{about}: {part.strip()[:80]!r} is not {form}: expected names such as freeda.example.org or IP "
                "addresses (IPv6 in brackets), separated by commas"
            )
    return hosts
