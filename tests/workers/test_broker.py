import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from workers.broker import answers, running_broker_url, start_broker, stop_broker


def _value(url: str, name: str) -> bytes | None:
    with redis.Redis.from_url(url) as client:
        value: bytes | None = client.get(name)
        return value


def _set(url: str, name: str, value: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set(name, value)


def _pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def test_it_starts_answers_and_stops(settings: Settings) -> None:
    assert running_broker_url(settings) is None
    url = start_broker(settings)
    assert running_broker_url(settings) == url
    assert answers(url)
    assert stop_broker(settings)
    assert running_broker_url(settings) is None
    assert not stop_broker(settings)


def test_a_running_one_is_taken_over(settings: Settings) -> None:
    url = start_broker(settings)
    pid = _pid(url)
    assert start_broker(settings) == url
    assert _pid(url) == pid


def test_what_it_holds_survives_its_end_and_its_death(settings: Settings, eventually: Callable[..., None]) -> None:
    url = start_broker(settings)
    _set(url, "stopped", "1")
    stop_broker(settings)
    url = start_broker(settings)
    assert _value(url, "stopped") == b"1"
    _set(url, "killed", "2")
    os.kill(_pid(url), signal.SIGKILL)
    eventually(lambda: not answers(url))
    assert running_broker_url(settings) is None
    assert start_broker(settings) == url  # clients find it where it was
    assert (_value(url, "stopped"), _value(url, "killed")) == (b"1", b"2")


def test_a_stale_address_whose_port_is_taken_is_replaced(
    settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    other = make_settings(home=settings.home.parent / "other")
    taken = start_broker(other)
    stale = taken.replace(taken.split("@")[0], "redis://:something-else")
    (settings.broker_folder / "url").write_text(stale)
    assert running_broker_url(settings) is None
    url = start_broker(settings)
    assert url not in {stale, taken}
    assert answers(url)
    assert answers(taken)


def test_only_the_owner_can_read_the_address_and_nobody_gets_in_without_it(settings: Settings) -> None:
    url = start_broker(settings)
    assert stat.S_IMODE((settings.broker_folder / "url").stat().st_mode) == 0o600
    assert not answers(f"redis://{url.split('@')[1]}")
    with redis.Redis.from_url(url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    command = Path(f"/proc/{_pid(url)}/cmdline").read_bytes()
    assert url.split(":")[2].split("@")[0].encode() not in command


def test_ctrl_c_at_the_terminal_does_not_reach_it(settings: Settings) -> None:
    assert os.getpgid(_pid(start_broker(settings))) != os.getpgid(0)


def test_one_that_cannot_start_is_one_line(settings: Settings) -> None:
    (settings.broker_folder / "appendonlydir").write_text("in the way")
    with pytest.raises(UnavailableError, match=r"does not start: see .*valkey\.log$"):
        start_broker(settings)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense", ""])
def test_what_is_no_broker_does_not_answer(url: str) -> None:
    assert not answers(url)
