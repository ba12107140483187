"""Requests that the server itself makes, to addresses that clients name: only to listed hosts, never further inside.

A name is resolved once, the addresses it stands for are checked, and the connection goes to one of these: a name that
stands for another address a moment later changes nothing. Proxies of the environment are not used, for they would
resolve names themselves.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

import httpx

from freeda_svc.errors import InputError, UnavailableError, one_line
from freeda_svc.host_lists import ListedHost, ip_address_of, normal_host, read_hosts

LONGEST_URL = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for IPv4 ones (RFC 6052)."""


@dataclass(frozen=True)
class HostRule:
    """Which hosts may be asked.

    Attributes:
        setting: the name of the setting that lists them.
        hosts: as it lists them. One with a port may have a private address, and is asked at that port only; the others
            are asked at the usual ports.
    """

    setting: str
    hosts: tuple[ListedHost, ...]

    @classmethod
    def of(cls, setting: str, hosts: str) -> "HostRule":
        """Make one of a setting that was checked."""
        return cls(setting, read_hosts(hosts))


@dataclass(frozen=True)
class Target:
    """An address on a host that is listed.

    Attributes:
        url: the address.
        host: in its normal form.
        port: filled in.
        may_be_private: whether the host is listed with this port.
    """

    url: httpx.URL
    host: str
    port: int
    may_be_private: bool


def check_url(about: str, url: str, rule: HostRule) -> Target:
    """Return an address that a client named, if its host is listed. Nothing is resolved.

    Args:
        about: what the address is for.
        url: the address.
        rule: which hosts may be asked.

    Raises:
        InputError: it is no http or https address, names a user or password, or a host that is not listed.
    """
    form = "expected an address such as https://example.org/path"
    if len(url) > LONGEST_URL:
        raise InputError(f"the {about} has {len(url)} characters; {LONGEST_URL} are taken")
    if not url.isprintable() or " " in url or "\\" in url:
        raise InputError(f"the {about} holds a blank or another character that must be encoded: {form}")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise InputError(f"the {about} cannot be read: {form}") from None
    if parsed.scheme not in DEFAULT_PORTS:
        raise InputError(f"the {about} is no http or https address: {form}")
    if parsed.userinfo:
        raise InputError(f"the {about} names a user or password, which is not taken")
    host = normal_host(f"[{parsed.host}]" if ":" in parsed.host else parsed.raw_host.decode("ascii"))
    if host is None:
        raise InputError(f"the {about} names no host: {form}")
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    named = ListedHost(host, port) in rule.hosts
    if not named and not (parsed.port is None and ListedHost(host) in rule.hosts):
        shown = f"[{host}]" if ":" in host else host
        at = "" if parsed.port is None else f" at port {port}"
        raise InputError(f"the {about} names the host {shown}{at}, which the setting {rule.setting} does not list")
    target = Target(parsed.copy_with(fragment=None), host, port, named)
    if ip_address_of(host) is not None:
        _check_address(about, target, host, rule)
    return target


@asynccontextmanager
async def answer_of(
    about: str,
    target: Target,
    rule: HostRule,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    seconds: float,
) -> AsyncIterator[httpx.Response]:
    """Send a request and give the answer, whose body is still to be read. Redirects are not followed.

    Args:
        about: what the address is for.
        target: an address that was checked.
        rule: which hosts may be asked.
        method: of the request.
        headers: beside the usual ones.
        content: the body.
        seconds: how long each step may take; the caller limits the whole.

    Raises:
        InputError: the host has a private address though it is not listed with its port.
        UnavailableError: it cannot be resolved or reached, or answers no HTTP.
    """
    addresses = await _addresses(about, target, rule)
    usual = {
        "Host": target.url.netloc.decode("ascii"),
        "User-Agent": f"freeda_svc/{version('freeda-svc')}",
        "Accept-Encoding": "identity",  # so that what is counted is what is kept
    }
    async with httpx.AsyncClient(verify=_trusted(), trust_env=False, follow_redirects=False, timeout=seconds) as client:
        response = None
        for address in addresses:
            request = client.build_request(
                method,
                target.url.copy_with(host=address),
                headers={**usual, **(headers or {})},
                content=content,
                extensions={"sni_hostname": target.host},
            )
            try:
                response = await client.send(request, stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure: Exception = error
            except (httpx.HTTPError, httpx.StreamError) as error:
                raise UnavailableError(f"the host of the {about} {_reason(error)}") from error
        if response is None:
            raise UnavailableError(f"the host of the {about} cannot be reached: {_reason(failure)}") from failure
        try:
            yield response
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise UnavailableError(f"the host of the {about} {_reason(error)}") from error
        finally:
            await response.aclose()


async def _addresses(about: str, target: Target, rule: HostRule) -> list[str]:
    """Resolve a host and return its addresses, all of which were checked."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnavailableError(f"the host of the {about} cannot be resolved") from error
    addresses = list(dict.fromkeys(str(place[0]) for *_kind, place in found))
    for address in addresses:
        _check_address(about, target, address, rule)
    return addresses


def _check_address(about: str, target: Target, address: str, rule: HostRule) -> None:
    if not target.may_be_private and not is_public(address):
        raise InputError(
            f"the host of the {about} has an address that is not public: it is asked only if the setting "
            f"{rule.setting} lists it with its port"
        )


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public network, and stands for none that is not.

    >>> is_public("93.184.215.14"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("169.254.1.1")
    (True, False, False, False)
    """
    found = ip_address_of(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found in _TRANSLATED:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        elif any(inner is not None for inner in (found.sixtofour, found.teredo)):
            return False  # tunnels that nobody uses any more, to addresses that they hide
        elif found.ipv4_mapped is not None:
            found = found.ipv4_mapped
    return found is not None and found.is_global and not (found.is_multicast or found.is_reserved)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Trust Mozilla's certificates as well as those of this machine."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    if isinstance(error, httpx.ConnectError):
        is_tls = "CERTIFICATE" in str(error).upper() or "SSL" in str(error).upper()
        return f"no TLS that can be trusted ({one_line(error)})" if is_tls else "connection refused or no route"
    return f"broke off its answer ({type(error).__name__})"
