"""``freeda keys``, and servers that need one."""

import re

import pytest

from tests.command_runner import Freeda


def test_a_key_is_created_listed_and_revoked(freeda: Freeda) -> None:
    created = freeda("keys", "create", "laptop", "--scope", "submit", "--expires", "90d")
    assert re.fullmatch(r"freeda_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n", created.out)
    assert "not shown again" in created.err
    listed = freeda("keys", "list")
    assert "laptop" in listed.out
    assert created.out.split("_")[2].strip() not in listed.out
    found = freeda("keys", "list", "--json").json
    assert [(key["name"], key["scope"], key["state"], key["used_at"]) for key in found] == [
        ("laptop", "submit", "valid", None)
    ]
    assert freeda("keys", "revoke", "laptop").out == "the key 'laptop' is revoked\n"
    again = freeda("keys", "revoke", "laptop")
    assert again.code == 1
    assert again.err == "Error: there is no valid key 'laptop'; `freeda keys list` shows them\n"


def test_no_keys_is_said(freeda: Freeda) -> None:
    empty = freeda("keys", "list")
    assert (empty.out, "freeda keys create" in empty.err) == ("", True)
    assert freeda("keys", "list", "--json").json == []


def test_a_key_as_json(freeda: Freeda) -> None:
    found = freeda("keys", "create", "ci", "--scope", "read", "--json").json
    assert (found["name"], found["scope"], found["expires_at"]) == ("ci", "read", None)
    assert found["key"].startswith(f"freeda_{found['id']}_")


def test_a_server_that_others_can_reach_does_not_start_without_a_key(
    freeda: Freeda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_API_HOST", "0.0.0.0")
    for command in (["serve", "--host", "0.0.0.0", "--port", "1"], ["serve", "--host", "192.0.2.1"], ["up"]):
        refused = freeda(*command)
        assert refused.code == 1
        assert refused.err.startswith("Error: the API needs keys (api_host is")
        assert "freeda keys create" in refused.err


def test_each_key_has_a_secret_for_callbacks(freeda: Freeda, monkeypatch: pytest.MonkeyPatch) -> None:
    freeda("keys", "create", "laptop", "--scope", "submit")
    assert "callback_secret is not set" in freeda("keys", "callback-secret", "laptop").err
    monkeypatch.setenv("FREEDA_CALLBACK_SECRET", "a long random text")
    own, nobodys = freeda("keys", "callback-secret", "laptop").out, freeda("keys", "callback-secret").out
    assert own.startswith("whsec_")
    assert own != nobodys
    assert freeda("keys", "callback-secret", "laptop", "--json").json["secret"] == own.strip()
    assert freeda("keys", "callback-secret", "other").code == 1


def test_a_server_that_could_not_sign_callbacks_does_not_start(freeda: Freeda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEDA_CALLBACK_HOSTS", "hooks.example.org")
    for command in ("serve", "up"):
        refused = freeda(command)
        assert (refused.code, "callback_secret is not set" in refused.err) == (1, True)


def test_port_0_is_no_server(freeda: Freeda) -> None:
    ran = freeda("serve", "--port", "0")
    assert (ran.code, "api_port is 0, which means no API" in ran.err) == (2, True)
