"""Keys of the HTTP API."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import (
    KeyRefusedError,
    KeyState,
    Scope,
    create_key,
    has_valid_key,
    list_keys,
    revoke_key,
    verify_key,
)
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.key_table import ApiKey
from freeda_svc.jobs.tables import now
from freeda_svc.settings import Settings


def test_a_key_is_shown_once_and_stored_as_a_digest(settings: Settings) -> None:
    summary, key = create_key(settings, "laptop", Scope.SUBMIT)
    prefix, key_id, secret = key.split("_", 2)
    assert (prefix, key_id) == ("freeda", summary.id)
    with reading(settings) as session:
        row = session.scalars(select(ApiKey)).one()
        assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
        assert not [value for value in vars(row).values() if isinstance(value, str) and secret in value]
    found = verify_key(settings, key)
    assert (found.name, found.scope, found.state) == ("laptop", Scope.SUBMIT, KeyState.VALID)


def test_a_scope_includes_those_before_it() -> None:
    allowed = [(one, other) for one in Scope for other in Scope if one.includes(other)]
    assert allowed == [
        (Scope.READ, Scope.READ),
        (Scope.SUBMIT, Scope.READ),
        (Scope.SUBMIT, Scope.SUBMIT),
        *((Scope.ADMINISTER, scope) for scope in Scope),
    ]


def test_the_last_use_is_noted_every_ten_minutes_only(settings: Settings) -> None:
    _, key = create_key(settings, "laptop", Scope.READ)
    assert list_keys(settings)[0].used_at is None
    verify_key(settings, key)
    first = list_keys(settings)[0].used_at
    assert first is not None
    verify_key(settings, key)
    assert list_keys(settings)[0].used_at == first
    with writing(settings) as session:
        session.execute(update(ApiKey).values(used_at=first - timedelta(minutes=11)))
    verify_key(settings, key)
    assert list_keys(settings)[0].used_at >= first


def test_revoked_and_expired_keys_are_refused(settings: Settings) -> None:
    _, revoked = create_key(settings, "old", Scope.READ)
    revoke_key(settings, "old")
    with pytest.raises(KeyRefusedError, match="the key 'old' was revoked"):
        verify_key(settings, revoked)
    summary, expired = create_key(settings, "short", Scope.READ, timedelta(hours=1))
    assert has_valid_key(settings)
    with writing(settings) as session:
        session.execute(update(ApiKey).where(ApiKey.id == summary.id).values(expires_at=now()))
    with pytest.raises(KeyRefusedError, match="the key 'short' has expired"):
        verify_key(settings, expired)
    assert [key.state for key in list_keys(settings)] == [KeyState.REVOKED, KeyState.EXPIRED]
    assert not has_valid_key(settings)


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key[:-1] + "?", lambda key: "", lambda key: "x" * 9]
)
def test_a_changed_key_is_not_known(settings: Settings, change: Callable[[str], str]) -> None:
    _, key = create_key(settings, "laptop", Scope.READ)
    with pytest.raises(KeyRefusedError, match="not known"):
        verify_key(settings, change(key))


def test_the_secret_of_one_key_does_not_open_another(settings: Settings) -> None:
    one, key = create_key(settings, "one", Scope.READ)
    other, _ = create_key(settings, "other", Scope.ADMINISTER)
    with pytest.raises(KeyRefusedError, match="not known"):
        verify_key(settings, key.replace(one.id, other.id))


def test_a_name_is_free_again_when_its_key_is_revoked(settings: Settings) -> None:
    first, _ = create_key(settings, "laptop", Scope.READ)
    with pytest.raises(InputError, match="a key named 'laptop' already"):
        create_key(settings, "laptop", Scope.READ)
    assert revoke_key(settings, "laptop").id == first.id
    second, _ = create_key(settings, "laptop", Scope.READ)
    assert revoke_key(settings, second.id).name == "laptop"
    with pytest.raises(NotFoundError, match="no valid key 'laptop'"):
        revoke_key(settings, "laptop")


@pytest.mark.parametrize("name", ["", " laptop", "x" * 65, "a\nb"])
def test_names_are_printable(settings: Settings, name: str) -> None:
    with pytest.raises(InputError, match="a key's name"):
        create_key(settings, name, Scope.READ)


def test_a_key_that_expires_at_once_is_not_created(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(InputError, match="90d"):
        create_key(settings, "laptop", Scope.READ, timedelta(0))
    assert list_keys(settings) == []
