"""Addresses that clients name: which are taken, and where the server then connects to."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.api.callbacks import check_callback
from freeda_svc.api.outgoing import HostRule, answer_of, check_url, is_public
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings
from tests.api.receiver import Receiver, receiving

RULE = HostRule.of("callback_hosts", "hooks.example.org, [2606:4700::1111], 10.0.0.7:9000, inside.example.org:8080")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/a?b=c",
        "HTTP://Hooks.Example.ORG./a",
        "https://hooks.example.org:443/",
        "http://[2606:4700::1111]/",
        "http://10.0.0.7:9000/",
        "http://inside.example.org:8080/x",
    ],
)
def test_listed_hosts_are_taken(url: str) -> None:
    assert check_url("callback", url, RULE).url.scheme in {"http", "https"}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://hooks.example.org/", "no http or https address"),
        ("hooks.example.org/a", "no http or https address"),
        ("file:///etc/hostname", "no http or https address"),
        ("https://hooks.example.org:8443/", "names the host hooks.example.org at port 8443, which the setting"),
        ("https://other.example.org/", "names the host other.example.org, which the setting callback_hosts does not"),
        ("https://hooks.example.org.other.org/", "does not list"),
        ("https://hooks.example.org@other.org/", "user or password"),
        ("https://me:x@hooks.example.org/", "user or password"),
        ("https://hooks.example.org\\@other.org/", "must be encoded"),
        ("https://hooks.example.org/a b", "must be encoded"),
        ("https://hooks.example.org/\n", "must be encoded"),
        ("http://10.0.0.7/", "does not list"),
        ("http://10.0.0.7:9001/", "does not list"),
        ("http://inside.example.org/", "does not list"),
        ("http://", "names no host"),
        ("http://hooks.example.org:99999/", "at port 99999"),
        ("http://hooks.example.org:0/", "at port 0"),
        ("http://[::1/", "cannot be read"),
        ("https://hooks.example.org/" + "a" * 2000, "2000 are taken"),
    ],
)
def test_other_addresses_are_refused_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^the callback .*{sentence}"):
        check_url("callback", url, RULE)


def test_an_address_inside_is_taken_only_with_its_port() -> None:
    rule = HostRule.of("image_hosts", "127.0.0.1, 127.0.0.1:9000")
    assert check_url("image", "http://127.0.0.1:9000/", rule).may_be_private
    with pytest.raises(InputError, match="image_hosts lists it with its port"):
        check_url("image", "http://127.0.0.1/", rule)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "2001:db8::1", "no address", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_means_the_same_in_each_form(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    translated = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))
    assert is_public(str(mapped)) == is_public(str(translated)) == is_public(str(address))


def resolved_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let each resolution of a name give the next list of addresses; return the names that were resolved."""
    asked: list[str] = []

    async def getaddrinfo(_loop: object, host: str, port: int, **_given: object) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def status_of(url: str, rule: HostRule) -> int:
    target = check_url("callback", url, rule)
    async with answer_of("callback", target, rule, method="POST", content=b"{}", seconds=5) as answer:
        return answer.status_code


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"]])
def test_a_name_that_stands_for_a_private_address_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolved_to(monkeypatch, addresses)
    with pytest.raises(InputError, match="has an address that is not public") as raised:
        asyncio.run(status_of("http://hooks.example.org/", RULE))
    assert not [address for address in addresses if address in str(raised.value)]


def test_a_name_is_resolved_once_and_asked_at_what_was_checked(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    asked = resolved_to(monkeypatch, ["127.0.0.1"], ["192.0.2.1"])
    rule = HostRule.of("callback_hosts", f"inside.example.org:{receiver.port}")
    assert asyncio.run(status_of(f"http://inside.example.org:{receiver.port}/a", rule)) == 204
    assert asked == ["inside.example.org"]
    assert receiver.received[0].headers["Host"] == f"inside.example.org:{receiver.port}"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    rule = HostRule.of("callback_hosts", f"127.0.0.1:{receiver.port}")
    assert asyncio.run(status_of(receiver.url(), rule)) == 204


def test_a_host_that_cannot_be_resolved_or_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        rule = HostRule.of("callback_hosts", f"127.0.0.1:{port}")
        with pytest.raises(UnavailableError, match="cannot be reached: connection refused"):
            asyncio.run(status_of(f"http://127.0.0.1:{port}/", rule))

    async def fails(*_arguments: object, **_given: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", fails)
    with pytest.raises(UnavailableError, match=r"^the host of the callback cannot be resolved$"):
        asyncio.run(status_of("http://hooks.example.org/", RULE))


def test_what_answers_no_http_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_at_once() -> None:
            accepted, _ = server.accept()
            accepted.recv(10_000)
            accepted.close()

        thread = threading.Thread(target=close_at_once)
        thread.start()
        port = server.getsockname()[1]
        rule = HostRule.of("callback_hosts", f"127.0.0.1:{port}")
        with pytest.raises(UnavailableError, match="broke off its answer"):
            asyncio.run(status_of(f"http://127.0.0.1:{port}/", rule))
        thread.join()


def test_callbacks_are_taken_only_where_hosts_and_a_secret_are_set(settings: Settings) -> None:
    url = "https://hooks.example.org/a"
    assert check_callback(settings, "") == ""
    with pytest.raises(InputError, match="callback_hosts lists no host"):
        check_callback(settings, url)
    listed = settings.model_copy(update={"callback_hosts": "hooks.example.org"})
    with pytest.raises(InputError, match="callback_secret is not set"):
        check_callback(listed, url)
    assert check_callback(listed.model_copy(update={"callback_secret": "x" * 16}), url) == url
