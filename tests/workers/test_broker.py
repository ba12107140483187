import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.broker import answers, broker_process, running_broker_url
from freeda_svc.workers.broker_server import start_broker, stop_broker


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
    assert start_broker(settings) == url
    assert _value(url, "stopped") == b"1"
    _set(url, "killed", "2")
    os.kill(_pid(url), signal.SIGKILL)
    eventually(lambda: broker_process(settings) is None)
    assert running_broker_url(settings) is None
    assert start_broker(settings) == url  # clients find it where it was
    assert (_value(url, "stopped"), _value(url, "killed")) == (b"1", b"2")


def test_one_that_says_nothing_lives_and_gets_no_second(settings: Settings) -> None:
    url = start_broker(settings)
    pid = _pid(url)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert running_broker_url(settings) is None
        assert broker_process(settings) == pid
        with pytest.raises(UnavailableError, match=rf"is there but does not answer: .*`kill -9 {pid}`$"):
            start_broker(settings, patience_seconds=0.1)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert start_broker(settings) == url
    assert _pid(url) == pid


def _left_behind(settings: Settings) -> int:
    """Let a process start the broker and be killed; gives the broker's process."""
    code = (
        "import os, signal\nfrom freeda_svc.settings import load_settings\n"
        "from freeda_svc.workers.broker_server import start_broker\n"
        "start_broker(load_settings())\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **settings.as_environment()}, check=False)
    pid = broker_process(settings)
    assert pid is not None
    return pid


def test_one_whose_starter_was_killed_is_watched_and_ended_like_ones_own(
    settings: Settings, eventually: Callable[..., None], is_alive: Callable[[int], bool]
) -> None:
    left = _left_behind(settings)
    url = start_broker(settings)
    assert _pid(url) == left
    os.kill(left, signal.SIGKILL)
    eventually(lambda: broker_process(settings) is None)
    assert _pid(start_broker(settings)) != left
    assert stop_broker(settings)
    left = _left_behind(settings)
    os.kill(left, signal.SIGSTOP)  # it cannot even be asked
    assert stop_broker(settings)
    assert broker_process(settings) is None
    assert not is_alive(left)


def test_a_copied_home_has_a_broker_of_its_own(settings: Settings, make_settings: Callable[..., Settings]) -> None:
    url = start_broker(settings)
    _set(url, "whose", "the original's")
    copy = settings.home.parent / "copy"
    subprocess.run(["cp", "-r", settings.home, copy], check=True)
    copied = make_settings(home=copy)
    assert running_broker_url(copied) is broker_process(copied) is None
    assert not stop_broker(copied)
    assert running_broker_url(settings) == url
    other = start_broker(copied)
    _set(other, "whose", "the copy's")
    assert stop_broker(copied)
    assert _value(url, "whose") == b"the original's"


def test_a_home_that_is_moved_takes_its_broker_along(
    settings: Settings, make_settings: Callable[..., Settings]
) -> None:
    pid = _pid(start_broker(settings))
    settings.home.rename(settings.home.parent / "moved")
    moved = make_settings(home=settings.home.parent / "moved")
    assert _pid(start_broker(moved)) == pid
    assert stop_broker(moved)


@pytest.mark.parametrize("name", ["run?a", "h%41b", "a b#c@d;e", "straße", "deep" * 50, "line\nbreak"])
def test_it_works_in_any_home(make_settings: Callable[..., Settings], tmp_path: Path, name: str) -> None:
    settings = make_settings(home=tmp_path / name)
    url = start_broker(settings)
    assert (settings.broker_folder / "socket").is_socket()
    assert CeleryDispatcher(settings).send(JobKind.INGEST, [1])
    with redis.Redis.from_url(url) as client:
        assert client.llen("ingest") == 1
    assert stop_broker(settings)
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_folder_for_short_names_that_belongs_to_somebody_else_is_not_used(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(home=tmp_path / ("deep" * 30))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"freeda-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"freeda-{os.getuid()}").chmod(0o777)
    with pytest.raises(UnavailableError, match="not a folder that only this user may enter; give the home a shorter"):
        start_broker(settings)
    monkeypatch.undo()


def test_only_the_owner_can_reach_it_and_it_listens_at_no_port(settings: Settings) -> None:
    url = start_broker(settings)
    assert stat.S_IMODE((settings.broker_folder / "socket").stat().st_mode) == 0o700
    with redis.Redis.from_url(url) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    for file in (settings.broker_folder / "appendonlydir").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def test_ctrl_c_at_the_terminal_does_not_reach_it(settings: Settings) -> None:
    assert os.getpgid(_pid(start_broker(settings))) != os.getpgid(0)


def _damage_the_middle(folder: Path) -> None:
    [file] = folder.glob("*.incr.aof")
    content = file.read_bytes()
    assert len(content) > 100
    file.write_bytes(content[:50] + b"\x00garbled\xff" + content[62:])


def _lose_the_base(folder: Path) -> None:
    [file] = folder.glob("*.base.*")
    file.unlink()


def _garble_the_list(folder: Path) -> None:
    [file] = folder.glob("*.manifest")
    file.write_bytes(os.urandom(100))


def _put_a_file_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("in the way")


@pytest.mark.parametrize("harm", [_damage_the_middle, _lose_the_base, _garble_the_list, _put_a_file_in_its_place])
def test_a_file_that_it_cannot_read_is_put_aside(
    settings: Settings, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # what was put aside before gives way
        url = start_broker(settings)
        for number in range(10):
            _set(url, f"key {number}", "value")
        stop_broker(settings)
        harm(settings.broker_folder / "appendonlydir")
        assert start_broker(settings) == url
        assert _value(url, "key 1") is None
        assert "started empty" in capsys.readouterr().out
        assert (settings.broker_folder / "appendonlydir.damaged").exists()
        assert stop_broker(settings)


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(settings: Settings) -> None:
    url = start_broker(settings)
    _set(url, "first", "value")
    _set(url, "second", "value")
    stop_broker(settings)
    [file] = (settings.broker_folder / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-5])
    assert _value(start_broker(settings), "first") == b"value"
    assert not (settings.broker_folder / "appendonlydir.damaged").exists()


def test_one_that_cannot_start_for_another_reason_keeps_its_file_and_says_why(settings: Settings) -> None:
    url = start_broker(settings)
    _set(url, "kept", "value")
    stop_broker(settings)
    (settings.broker_folder / "socket").mkdir()
    with pytest.raises(UnavailableError, match=r"^the embedded broker does not start: .*socket.*; see .*valkey\.log$"):
        start_broker(settings)
    (settings.broker_folder / "socket").rmdir()
    assert _value(start_broker(settings), "kept") == b"value"


def test_a_long_log_is_started_again(settings: Settings) -> None:
    log = settings.broker_folder / "valkey.log"
    log.write_bytes(b"x" * (1 << 20) + b"\n")
    start_broker(settings)
    stop_broker(settings)
    start_broker(settings)
    assert log.stat().st_size < 100_000


def test_one_that_only_reads_its_file_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes longer here than one that says nothing would be waited for."""
    import freeda_svc.workers.broker_server as server  # noqa: PLC0415

    begun = time.monotonic()

    def still_reading(url: str) -> bool:
        if time.monotonic() < begun + 1.5:
            raise redis.exceptions.BusyLoadingError
        return True

    monkeypatch.setattr(server, "START_SECONDS", 0.5)
    monkeypatch.setattr(server, "ask", still_reading)
    start_broker(settings)
    assert time.monotonic() >= begun + 1.5


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere", "nonsense", ""])
def test_what_is_no_broker_does_not_answer(url: str) -> None:
    assert not answers(url)
