"""Under which names a server may be asked, and from which pages.

A page of another site can let a name of its own stand for 127.0.0.1 and so ask a local server as if it were its own
(DNS rebinding); it can also post forms to it. The first shows in ``Host``, the second in ``Origin``.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from freeda_svc.api.problems import ProblemError
from freeda_svc.host_lists import ip_address_of, normal_host, read_host, read_hosts
from freeda_svc.settings import Settings

ALWAYS = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_SHOWN = 80


class OwnNames:
    """The names of one server."""

    def __init__(self, settings: Settings) -> None:
        """Take them from the settings: the address it listens at, and ``api_names``."""
        listens_at = settings.api_host
        address = ip_address_of(listens_at)
        own = str(address) if address is not None else normal_host(listens_at)
        self._named = frozenset(host.host for host in read_hosts(settings.api_names))
        self._known = ALWAYS | self._named | ({own} if own else set())
        self._any_address = address is not None and address.is_unspecified

    def check_host(self, hosts: Sequence[str]) -> None:
        """See that a request asks for this server.

        Args:
            hosts: its ``Host`` headers.

        Raises:
            ProblemError: there is not one of them, it names no host (400), or another one (421).
        """
        found = read_host(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            raise ProblemError(400, "a request needs one Host header with the name that it asks")
        # No page can make a name of its own stand for an address in the header.
        if found.host in self._known or (self._any_address and ip_address_of(found.host) is not None):
            return
        raise ProblemError(
            421, f"this server is not called {found.host[:LONGEST_SHOWN]}: the setting api_names lists its names"
        )

    def check_origin(self, host: str, origin: str | None, fetch_site: str | None) -> None:
        """See that a request that changes something does not come from a page of another site.

        Args:
            host: the ``Host`` header.
            origin: the ``Origin`` header; None without one, as programs send none.
            fetch_site: the ``Sec-Fetch-Site`` header; None without one.

        Raises:
            ProblemError: it does (403).
        """
        is_own = origin is None or self._is_own_origin(host, origin)
        if not is_own or (fetch_site == "cross-site" and origin is None):
            raise ProblemError(403, "a page of another site may not change anything here")

    def _is_own_origin(self, host: str, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            own = parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()
            return own or normal_host(parts.hostname or "") in self._named
        except ValueError:
            return False
