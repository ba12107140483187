"""Keys and scopes of requests."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import update

from freeda_svc.api import make_application
from freeda_svc.api.access import (
    Access,
    Administrator,
    Reader,
    Submitter,
    check_access,
    keys_needed,
    own_idempotency_key,
)
from freeda_svc.api.problems import MEDIA_TYPE
from freeda_svc.errors import InputError
from freeda_svc.jobs import Scope, create_key, revoke_key
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.key_table import ApiKey
from freeda_svc.jobs.tables import now
from freeda_svc.settings import Settings, load_settings

Ask = Callable[[Settings], TestClient]

router = APIRouter()


@router.get("/v1/test")
def read(access: Reader) -> dict[str, str]:
    return {"key": access.key_id, "scope": access.scope}


@router.post("/v1/test")
def submit(access: Submitter, body: dict[str, Any]) -> dict[str, Any]:
    return body


@router.delete("/v1/test")
def administer(access: Administrator) -> None:
    pass


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Ask]:
    clients = []

    def ask(settings: Settings) -> TestClient:
        application = make_application(settings)
        application.include_router(router)
        client = TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False)
        clients.append(client)
        return client

    yield ask
    for client in clients:
        client.close()


@pytest.fixture
def locked(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_keys": "always"})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_at_a_loopback_address_everything_is_allowed_without_a_key(asking: Ask, settings: Settings) -> None:
    client = asking(settings)
    assert client.get("/v1/test").json() == {"key": "", "scope": "administer"}
    assert client.delete("/v1/test").status_code == 200


def test_a_wrong_key_is_refused_even_where_none_is_needed(asking: Ask, settings: Settings) -> None:
    assert asking(settings).get("/v1/test", headers=bearer("freeda_no")).status_code == 401


def test_where_keys_are_needed_nothing_goes_without(asking: Ask, locked: Settings) -> None:
    client = asking(locked)
    for answer in (client.get("/v1/test"), client.post("/v1/test", json={}), client.delete("/v1/test")):
        assert (answer.status_code, answer.headers["content-type"]) == (401, MEDIA_TYPE)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="freeda_svc", Basic ')
        assert answer.json()["detail"].startswith("this needs a key: send `Authorization: Bearer KEY`")
    assert client.get("/health/live").status_code == 200


def test_without_a_key_a_body_is_refused_before_it_is_read(asking: Ask, locked: Settings) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body is read")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/test", "headers": [(b"host", b"127.0.0.1")]}
    asyncio.run(asking(locked).app(scope, receive, send))
    assert sent[0]["status"] == 401


def test_each_scope_allows_what_it_says(asking: Ask, locked: Settings) -> None:
    client = asking(locked)
    for scope, expected in (
        (Scope.READ, (200, 403, 403)),
        (Scope.SUBMIT, (200, 200, 403)),
        (Scope.ADMINISTER, (200,) * 3),
    ):
        _, key = create_key(locked, scope.value, scope)
        shown = bearer(key)
        answers = (
            client.get("/v1/test", headers=shown),
            client.post("/v1/test", headers=shown, json={}),
            client.delete("/v1/test", headers=shown),
        )
        assert tuple(answer.status_code for answer in answers) == expected
    _, key = create_key(locked, "reader", Scope.READ)
    assert client.delete("/v1/test", headers=bearer(key)).json()["detail"] == (
        "the key 'reader' allows to read, but this needs one that allows to administer"
    )


def test_a_key_can_be_the_password_or_the_user_of_basic(asking: Ask, locked: Settings) -> None:
    summary, key = create_key(locked, "label-studio", Scope.READ)
    client = asking(locked)
    for given in (f"anybody:{key}", f"{key}:", f":{key}"):
        encoded = base64.b64encode(given.encode()).decode()
        answer = client.get("/v1/test", headers={"Authorization": f"Basic {encoded}"})
        assert answer.json() == {"key": summary.id, "scope": "read"}


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [
        ("Bearer freeda_00000000_" + "A" * 43, "the key is not known here"),
        ("Bearer", "the key is not known here"),
        ("Basic %%%", "the Basic Authorization header cannot be decoded"),
        ("Digest x", "the Authorization header is not understood"),
        ("", "the Authorization header is not understood"),
    ],
)
def test_what_is_no_key_gets_one_sentence(asking: Ask, locked: Settings, authorization: str, sentence: str) -> None:
    answer = asking(locked).get("/v1/test", headers={"Authorization": authorization})
    assert (answer.status_code, "www-authenticate" in answer.headers) == (401, True)
    assert answer.json()["detail"].startswith(sentence)


def test_a_key_is_refused_from_the_moment_on_at_which_it_is_revoked_or_expires(asking: Ask, locked: Settings) -> None:
    client = asking(locked)
    _, one = create_key(locked, "one", Scope.READ)
    summary, other = create_key(locked, "other", Scope.READ, timedelta(days=1))
    assert {client.get("/v1/test", headers=bearer(key)).status_code for key in (one, other)} == {200}
    revoke_key(locked, "one")
    with writing(locked) as session:
        session.execute(update(ApiKey).where(ApiKey.id == summary.id).values(expires_at=now()))
    answers = [client.get("/v1/test", headers=bearer(key)) for key in (one, other)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert ["revoked" in answers[0].json()["detail"], "expired" in answers[1].json()["detail"]] == [True, True]


@pytest.mark.parametrize(
    ("host", "needed"),
    [("127.0.0.1", False), ("127.8.8.8", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True),
     ("192.168.1.5", True), ("freeda.example.org", True)],
)  # fmt: skip
def test_keys_are_needed_at_any_address_but_a_loopback_one(tmp_path: Path, host: str, needed: bool) -> None:
    settings = load_settings(home=tmp_path, api_host=host)
    assert keys_needed(settings) == needed
    assert keys_needed(settings.model_copy(update={"api_keys": "always"}))


def test_without_a_valid_key_nothing_is_served_at_another_address(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, api_host="0.0.0.0")
    with pytest.raises(InputError, match=r"api_host is 0\.0\.0\.0.*`freeda keys create NAME --scope administer`"):
        check_access(settings)
    create_key(settings, "first", Scope.READ)
    check_access(settings)
    revoke_key(settings, "first")
    with pytest.raises(InputError, match="no valid one"):
        check_access(settings)


def test_idempotency_keys_of_different_keys_never_meet() -> None:
    one, other, nobody = Access(Scope.SUBMIT, "00000001"), Access(Scope.SUBMIT, "00000002"), Access(Scope.SUBMIT)
    keys = ["a", "x" * 200, "x" * 199, "00000001:a"]
    kept = [own_idempotency_key(access, key) for access in (one, other) for key in keys]
    assert len(set(kept)) == len(kept)
    assert max(map(len, kept)) <= 200
    assert own_idempotency_key(nobody, "a") == "a"
    assert own_idempotency_key(one, "") == ""
    with pytest.raises(InputError, match="200 printable"):
        own_idempotency_key(one, "x" * 201)


def test_the_description_of_the_api_names_both_ways_to_show_a_key(asking: Ask, settings: Settings) -> None:
    client = asking(settings)
    described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"].keys() == {"key", "keyAsPassword"}
    assert described["paths"]["/v1/test"]["get"]["security"] == [{"key": []}, {"keyAsPassword": []}]
