"""Hosts in settings and headers."""

import pytest

from freeda_svc.errors import InputError
from freeda_svc.host_lists import ListedHost, check_hosts, is_loopback, read_host, read_hosts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.ORG", ListedHost("example.org")),
        ("example.org.", ListedHost("example.org")),
        ("label_studio:8080", ListedHost("label_studio", 8080)),
        ("[::1]:8470", ListedHost("::1", 8470)),
        ("[0:0::1]", ListedHost("::1")),
        ("127.0.0.1", ListedHost("127.0.0.1")),
        ("", None),
        ("a:b", None),
        ("a:0", None),
        ("a:65536", None),
        ("a:", None),
        ("::1", None),
        ("[127.0.0.1]", None),
        ("[example.org]", None),
        ("[fe80::1%eth0]", None),
        ("user@example.org", None),
        ("example.org/path", None),
        ("-a.org", None),
        ("a..org", None),
        ("a b", None),
        ("bücher.example", None),
        ("a" * 64 + ".org", None),
        (".".join(["a" * 60] * 5), None),
    ],
)
def test_a_host_is_read_in_one_form_or_refused(text: str, expected: ListedHost | None) -> None:
    assert read_host(text) == expected


def test_a_list_is_separated_by_commas() -> None:
    assert read_hosts(" a.org, b.org:81 ,, ") == (ListedHost("a.org"), ListedHost("b.org", 81))
    assert read_hosts("") == ()


def test_a_list_with_something_else_in_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"^image_hosts: 'https://a.org' is not HOST or HOST:PORT"):
        check_hosts("image_hosts", "b.org, https://a.org", ports=True)
    with pytest.raises(InputError, match=r"^api_names: 'a.org:80' is not HOST without a port"):
        check_hosts("api_names", "a.org:80", ports=False)


@pytest.mark.parametrize(("host", "expected"), [("127.1.2.3", True), ("::1", True), ("LocalHost", True), ("::", False)])
def test_loopback_addresses_are_known(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
