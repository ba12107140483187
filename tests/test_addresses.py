"""Addresses: what is taken is read alike by all libraries, what is not is refused in a line that shows none of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from freeda_svc.addresses import (
    check_bank_address,
    check_broker_address,
    check_database_address,
    check_label_studio_address,
    check_path,
    hide_in_text,
    secrets_of_address,
    shown_address,
)
from freeda_svc.errors import InputError

SECRET = "ses/ame@x"
PIECES = ("ses", "ame@x", "sesame")


@pytest.mark.parametrize(
    "address",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://localhost?db=3",
        "unix:///run/x.sock?db=1",
        "unix://:p@/run/a b@c.sock",
        "redis://:p%40ss@[::1]:6379/15",
        "rediss://me:p@host/1?ssl_cert_reqs=required&ssl_ca_certs=/run/secrets/ca.pem",
        "rediss://host/0?ssl_cert_reqs=none&ssl_check_hostname=false",
    ],
)
def test_brokers_addresses_that_are_taken(address: str) -> None:
    assert check_broker_address(address) == address


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sesame", "is no address"),
        ("amqp://host", "scheme that is not supported"),
        ("redis+socket:///run/x.sock", "scheme that is not supported"),
        ("sentinel://a:1", "scheme that is not supported"),
        ("redis://", "has no host"),
        ("redis://:ses/ame@host:6379/0", "must be encoded"),
        ("redis://sesame:12/ame@host:6379/0", "must be encoded"),
        ("redis://:ses?ame@host:6379/0", "must be encoded"),
        ("redis://ses?ame=x@host:6379/0", "must be encoded"),
        ("redis://:ses#ame@host:6379/0", "must be encoded"),
        ("redis://:ses;ame@host:6379/0", "only one server"),
        ("redis://a:6379/0;redis://b:6379/0", "only one server"),
        ("redis://host:port/0", "port that is no number"),
        ("redis://host:65536/0", "port that is no number"),
        ("redis://host:0/0", "port that is no number"),
        ("redis://host/main", "number of a database"),
        ("redis://host/0?db=x", "the option db must be"),
        ("redis://host/0?sesame", "gives something after its ?"),
        ("redis://host/0?ssl_ca_certs=/x", "TLS is rediss://"),
        ("rediss://host/0?ssl_cert_reqs=CERT_NONE", "must be none or optional or required"),
        ("rediss://host/0?password=sesame", "the option password"),
        ("unix://run/x.sock", "names no socket"),
        ("unix:///", "names no socket"),
        ("unix:///run/x.sock?db=one", "the option db must be"),
        ("redis://ho\nst/0", "cannot be printed"),
        ("redis://ho\udcffst/0", "cannot be printed"),
    ],
)
def test_brokers_addresses_that_are_refused(address: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        check_broker_address(address)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [piece for piece in PIECES if piece in str(caught.value)] == []


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("postgresql://me:p%40s@host/jobs", "postgresql+psycopg://me:p%40s@host/jobs"),
        ("postgres://host:5432/jobs", "postgresql+psycopg://host:5432/jobs"),
        ("postgresql+psycopg:///jobs", "postgresql+psycopg:///jobs"),
        ("postgresql+psycopg://me@/jobs?host=/run", "postgresql+psycopg://me@/jobs?host=/run"),
        ("postgresql+psycopg:///jobs?host=a:1&host=b:2", "postgresql+psycopg:///jobs?host=a:1&host=b:2"),
        ("postgresql://host/jobs?sslmode=require", "postgresql+psycopg://host/jobs?sslmode=require"),
        ("sqlite:////srv/a b@c/jobs", "sqlite:////srv/a b@c/jobs"),
        ("sqlite+pysqlite:////srv/jobs", "sqlite:////srv/jobs"),
    ],
)
def test_databases_addresses_that_are_taken(address: str, read: str) -> None:
    assert check_database_address(address) == read
    make_url(read)


def test_a_relative_file_is_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = check_database_address("sqlite:///jobs.sqlite")
    assert make_url(read).database == str(tmp_path / "jobs.sqlite")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sesame", "is no address"),
        ("mysql://host/jobs", "scheme that is not supported"),
        ("postgresql+asyncpg://host/jobs", "scheme that is not supported"),
        ("postgresql+psycopg_async://host/jobs", "scheme that is not supported"),
        ("postgresql+psycopg2://host/jobs", "scheme that is not supported"),
        ("sqlite+aiosqlite:////srv/jobs", "scheme that is not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:jobs?uri=true", "takes none"),
        ("sqlite:///file:jobs", "names no file"),
        ("sqlite:////srv/jobs?timeout=abc", "takes none"),
        ("sqlite://srv/jobs", "takes none"),
        ("postgresql://host:abc/jobs", "port that is no number"),
        ("postgresql://a:1,b:2/jobs", "port that is no number"),
        ("postgresql://me:ses@ame@host/jobs", "must be encoded|more than one @"),
        ("postgresql://me:ses/ame@host/jobs", "must be encoded"),
        ("postgresql://me:12/sesame@host/jobs", "must be encoded"),
        ("postgresql://host/jobs?sslmod=require", "the option sslmod after its ?"),
        ("postgresql://host/jobs?autocommit=1", "the option autocommit after its ?"),
    ],
)
def test_databases_addresses_that_are_refused(address: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        check_database_address(address)
    assert any(part in str(caught.value) for part in reason.split("|"))
    assert "\n" not in str(caught.value)
    assert [piece for piece in PIECES if piece in str(caught.value)] == []


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("http://host", "http://host:6333"),
        ("https://host:443/qdrant/", "https://host:443/qdrant"),
        ("http://[::1]", "http://[::1]:6333"),
    ],
)
def test_banks_addresses_that_are_taken(address: str, read: str) -> None:
    assert check_bank_address(address) == read


@pytest.mark.parametrize(
    "address",
    [
        *("sesame", "host:6333", "ftp://host", "http://", "http://host:port", "http://host:0", "http://ho st:1"),
        *("http://me:sesame@host", "http://sesame@host", "http://host?api-key=sesame", "http://ses/ame@x", "unix:///x"),
    ],
)
def test_banks_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(InputError) as caught:
        check_bank_address(address)
    assert [piece for piece in PIECES if piece in str(caught.value)] == []


@pytest.mark.parametrize("path", ["s3://me:sesame@bucket/x", "/srv/\udce9", "/srv/\0"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(InputError, match=r"^artifacts ") as caught:
        check_path("artifacts", path)
    assert "sesame" not in str(caught.value)
    str(caught.value).encode("utf-8")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("sesame", "***"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:sesame@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://sesame@host:6379/0", "redis://***@host:6379/0"),
        ("redis://me:ses@ame@host:6379/0", "redis://me:***@host:6379/0"),
        ("redis://me:ses:ame@[::1]:6379/0", "redis://me:***@[::1]:6379/0"),
        ("redis://:ses/ame@host:6379/0", "redis://***"),
        ("redis://me:12/sesame@host:6379/0", "redis://***"),
        ("redis://:ses?ame@host:6379/0", "redis://***"),
        ("redis://:ses#ame@host:6379/0", "redis://***"),
        ("redis://:ses ame@host:6379/0", "redis://:***@host:6379/0"),
        ("unix://:sesame@/run/x.sock?db=1", "unix://:***@/run/x.sock?db=1"),
        ("http://host:6333?api-key=sesame", "http://host:6333?api-key=***"),
        ("http://host:6333/x?sesame", "http://host:6333/x?***"),
        ("http://host:6333/x?sslmode=a%40b", "http://host:6333/x?sslmode=***"),
        (
            "postgresql://me:p@host/jobs?sslmode=require&options=-csesame",
            "postgresql://me:***@host/jobs?sslmode=require&options=***",
        ),
        ("sqlite:////srv/a b@c/jobs", "sqlite:////srv/a b@c/jobs"),
    ],
)
def test_what_is_shown_of_an_address(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@given(
    st.sampled_from(["redis", "rediss", "postgresql+psycopg", "http", "unix", "amqp"]),
    st.text("abcXYZ019-_.~!$*+:;/?#@% ", min_size=0, max_size=6),
    st.text("abcXYZ019-_.~!$*+:;/?#@% ", min_size=0, max_size=6),
    st.sampled_from(["host", "host:6379", "[::1]:1", ""]),
    st.sampled_from(["", "/0", "/jobs?sslmode=require"]),
)
@examples(derandomize=True, deadline=None, max_examples=500)
def test_however_it_is_written_a_password_is_not_shown(
    scheme: str, before: str, after: str, host: str, path: str
) -> None:
    address = f"{scheme}://me:{before}SESAME{after}@{host}{path}"
    assert "SESAME" not in shown_address(address)
    assert "SESAME" not in hide_in_text(f"no answer from {address}, later") or " " in before + after
    assert any("SESAME" in secret for secret in secrets_of_address(address))


def test_addresses_in_a_text_are_shown_as_they_are_by_themselves() -> None:
    text = "cannot reach 'redis://:a/b@host:1/0' (http://host/x?api-key=y), nor http://host:6333/z."
    assert hide_in_text(text) == ("cannot reach 'redis://***' (http://host/x?api-key=***), nor http://host:6333/z.")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://labels.example.org/", "https://labels.example.org"),
        ("https://example.org/labels/", "https://example.org/labels"),
    ],
)
def test_a_label_studio_server_is_named_without_a_slash_at_its_end(written: str, address: str) -> None:
    assert check_label_studio_address(written) == address


@pytest.mark.parametrize(
    "written", ["labels.example.org", "ftp://example.org", "http://me:SECRET@example.org", "http://"]
)
def test_what_is_no_label_studio_server_is_refused_without_being_shown(written: str) -> None:
    with pytest.raises(InputError, match="label_studio_url") as raised:
        check_label_studio_address(written)
    assert "SECRET" not in str(raised.value)
