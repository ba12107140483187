import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.logs import configure_logs
from freeda_svc.workers.redaction import Redactor

SECRETS = ("broker-pass", "data p@ss/w", "data%20p%40ss%2Fw", "query-pass", "key-of-qdrant")


@pytest.fixture
def secretive(tmp_path: "object") -> Settings:
    return load_settings(
        home=tmp_path,
        broker_url="rediss://user:broker-pass@broker:6379/0",
        database_url="postgresql+psycopg://me:data%20p%40ss%2Fw@db/freeda?password=query-pass",
        qdrant_url="https://qdrant:6333",
        qdrant_api_key="key-of-qdrant",
    )


@pytest.fixture
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, name in ((sys, "stdout"), (sys, "stderr"), (sys, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)


def _raise(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_log_line_holds_a_secret(
    secretive: Settings, capsys: pytest.CaptureFixture[str], logging_as_before: None, log_format: str
) -> None:
    settings = secretive.model_copy(update={"log_format": log_format})
    configure_logs(settings)
    log = structlog.get_logger("freeda")
    log.info("begun", broker=settings.broker_url, nested={"list": [settings.database_url, 7, None]}, given=settings)
    logging.getLogger("redis").warning("cannot connect to %s with %s", settings.broker_url, "key-of-qdrant")
    try:
        _raise(f"no such thing: {settings.database_url}, data p@ss/w")
    except ValueError as error:
        log.exception("failed", reason=str(error))
        logging.getLogger("celery").exception("failed")
    told = settings.log_file.read_text() + capsys.readouterr().err
    assert "ValueError: no such thing" in told
    assert "rediss://user:***@broker:6379/0" in told
    assert [secret for secret in SECRETS if secret in told] == []
    lines = [json.loads(line) for line in settings.log_file.read_text().splitlines()]
    assert lines[0]["nested"]["list"][1:] == [7, None]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_message_is_not_told_again_in_colours(
    secretive: Settings, capsys: pytest.CaptureFixture[str], logging_as_before: None, log_format: str
) -> None:
    settings = secretive.model_copy(update={"log_format": log_format})
    configure_logs(settings)
    coloured = {"color_message": "Started server process [\x1b[36m%d\x1b[0m]"}
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7, extra=coloured)
    told = settings.log_file.read_text() + capsys.readouterr().err
    assert told.count("Started server process") == 2  # in the file, and on the console
    assert "36m" not in told


def test_passwords_of_addresses_that_nobody_set_are_hidden_too(secretive: Settings) -> None:
    redactor = Redactor(secretive)
    text = "at http://a:other@host/x and redis://:more@h:1 but me@example.org, 12:30@noon; api_key=abc, password: 'def'"
    assert redactor.text(text) == (
        "at http://a:***@host/x and redis://:***@h:1 but me@example.org, 12:30@noon; api_key=***, password: '***'"
    )


@given(st.text("abcXYZ019-_.~!$*+", min_size=4, max_size=20))
@examples(derandomize=True, deadline=None)
def test_whatever_the_password_is_it_is_hidden(password: str) -> None:
    settings = load_settings(home="/nowhere", broker_url=f"redis://:{password}@host:1/0", database_url="")
    told = Redactor(settings).text(f"connecting to {settings.broker_url}, that is <{password}>")
    assert f":{password}@" not in told
    assert f"<{password}>" not in told


def test_settings_do_not_show_their_secrets(secretive: Settings) -> None:
    assert [secret for secret in SECRETS if secret in repr(secretive)] == []


def test_no_log_file_is_kept_where_none_is_wanted(
    secretive: Settings, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    settings = secretive.model_copy(update={"keep_log": False, "log_format": "json"})
    configure_logs(settings)
    structlog.get_logger("freeda").info("begun", broker=settings.broker_url)
    assert json.loads(capsys.readouterr().err)["event"] == "begun"
    assert not settings.log_file.exists()


@pytest.mark.parametrize(
    ("given", "on_console"),
    [
        ({"log_format": "console"}, ["full", "begun"]),
        ({"log_format": "console", "keep_log": False}, ["request", "full", "begun"]),
        ({"log_format": "json"}, ["request", "full", "begun"]),
    ],
)
def test_people_see_no_line_for_each_request_where_a_file_has_it(
    secretive: Settings,
    capsys: pytest.CaptureFixture[str],
    logging_as_before: None,
    given: dict[str, object],
    on_console: list[str],
) -> None:
    settings = secretive.model_copy(update=given)
    configure_logs(settings)
    requests = structlog.get_logger("freeda_svc.api.request_logs")
    requests.info("request", path="/v1/jobs")
    requests.warning("full")
    structlog.get_logger("freeda_svc.api.problems").info("begun")
    said = capsys.readouterr().err
    events = ["request", "full", "begun"]
    assert [event for event in events if f"{event} " in said or f'"event": "{event}"' in said] == on_console
    if settings.keep_log:
        assert [json.loads(line)["event"] for line in settings.log_file.read_text().splitlines()] == events


def test_keys_of_the_api_are_hidden_wherever_they_stand(secretive: Settings) -> None:
    key = f"freeda_0123abcd_{'aB3-_' * 8}xyz"
    hidden = Redactor(secretive).text(f"Bearer {key}, /v1/jobs?key={key} and freeda_0123abcd")
    assert key not in hidden
    assert "aB3" not in hidden
    assert hidden.endswith("freeda_0123abcd")


def test_the_access_key_of_a_bucket_is_hidden_wherever_it_stands(
    secretive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalr/XUtnFEMI")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "FwoGZXIvYXdz")
    assert Redactor(secretive).text("signed with wJalr/XUtnFEMI and FwoGZXIvYXdz") == "signed with *** and ***"
