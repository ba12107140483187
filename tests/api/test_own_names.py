"""Which names a server answers to, and which pages may change something."""

import ipaddress
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.api.own_names import OwnNames
from freeda_svc.api.problems import ProblemError
from freeda_svc.settings import load_settings

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,8}){0,3}", fullmatch=True)
PORTS = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
OWN = ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost."]


def own_names(host: str = "127.0.0.1", names: str = "") -> OwnNames:
    return OwnNames(load_settings(home=Path("/tmp/nowhere"), api_host=host, api_names=names))


def status_of(names: OwnNames, *hosts: str) -> int:
    try:
        names.check_host(hosts)
    except ProblemError as error:
        return error.status
    return 200


@given(host=st.sampled_from(OWN), port=PORTS)
def test_a_local_server_answers_to_its_own_names_at_any_port(host: str, port: str) -> None:
    assert status_of(own_names(), host + port) == 200


@given(name=NAMES, port=PORTS)
def test_a_local_server_answers_to_no_other_name(name: str, port: str) -> None:
    expected = 200 if name in {"localhost", "127.0.0.1"} else 421
    assert status_of(own_names(), name + port) == expected


@given(name=NAMES, prefix=st.text(st.characters(codec="utf-8"), min_size=1, max_size=5))
def test_a_name_of_its_own_inside_another_is_another(name: str, prefix: str) -> None:
    for other in (
        f"localhost.{name}.org",
        f"127.0.0.1.{name}.org",
        f"{name}@localhost",
        f"localhost/{name}",
        f"{prefix}localhost.",
    ):
        assert status_of(own_names(), other) in {400, 421} or other.strip().lower() == "localhost."


@given(st.text())
def test_whatever_is_sent_is_own_or_refused(text: str) -> None:
    assert status_of(own_names(names="freeda.example.org"), text) in {200, 400, 421}


@given(st.ip_addresses())
def test_at_all_addresses_any_number_is_its_own_and_no_name(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    written = f"[{address}]" if address.version == 6 else str(address)
    for wildcard in ("0.0.0.0", "::"):
        assert status_of(own_names(wildcard), f"{written}:8470") == (400 if "%" in written else 200)
    assert status_of(own_names("0.0.0.0"), "elsewhere.example.org") == 421
    expected = 200 if address in map(ipaddress.ip_address, ("127.0.0.1", "::1")) else 421
    assert status_of(own_names(), written) == expected


def test_names_of_the_settings_are_own() -> None:
    names = own_names("0.0.0.0", "freeda.example.org, LabelStudio")
    assert {status_of(names, host) for host in ("freeda.example.org", "FREEDA.example.org.:443", "labelstudio:80")} == {
        200
    }
    assert status_of(names, "other.example.org") == 421
    assert status_of(own_names("gpu-1.example.org"), "gpu-1.example.org:8470") == 200


def test_there_is_one_host() -> None:
    assert [status_of(own_names()), status_of(own_names(), "localhost", "localhost"), status_of(own_names(), "")] == [
        400
    ] * 3


@pytest.mark.parametrize(
    ("origin", "site", "allowed"),
    [
        (None, None, True),
        (None, "none", True),
        (None, "same-origin", True),
        (None, "cross-site", False),
        ("http://127.0.0.1:8470", "same-origin", True),
        ("https://127.0.0.1:8470", None, True),  # behind a proxy that ends TLS
        ("http://127.0.0.1:3000", "same-site", False),
        ("http://127.0.0.1", None, False),
        ("http://localhost:8470", "cross-site", False),
        ("http://other.example.org", None, False),
        ("http://127.0.0.1:8470.example.org", None, False),
        ("null", "cross-site", False),
        ("null", None, False),
        ("", None, False),
        ("http://[::1", None, False),
        ("file://", None, False),
        ("https://freeda.example.org", "cross-site", True),
    ],
)
def test_only_own_pages_change_something(origin: str | None, site: str | None, allowed: bool) -> None:
    names = own_names(names="freeda.example.org")
    with nullcontext() if allowed else pytest.raises(ProblemError, match="a page of another site"):
        names.check_origin("127.0.0.1:8470", origin, site)
