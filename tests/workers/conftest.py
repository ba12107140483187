import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers.broker_server import stop_broker


@pytest.fixture
def make_settings(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Settings of a home of its own, quick to notice trouble; its broker is stopped afterwards."""
    made: list[Settings] = []

    def make(**given: Any) -> Settings:  # noqa: ANN401 - settings
        quick = {"home": tmp_path / "home", "captions_per_item": 1, "reconcile_seconds": 0.3, "lease_seconds": 5}
        settings = load_settings(**{"database_url": "", "broker_url": "", **quick, **given})
        prepare_home(settings)
        made.append(settings)
        return settings

    yield make
    for settings in made:
        stop_broker(settings)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="session")
def captions() -> Callable[..., list[Caption]]:
    def make(count: int, thing: str = "dog") -> list[Caption]:
        made = [make_caption(f"a {thing} number {number} beside a tree") for number in range(count)]
        return [caption for caption in made if caption is not None]

    return make


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something is so."""

    def wait(is_so: Callable[[], object], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait


UNTRIED = """
import freeda_svc.workers.trial

freeda_svc.workers.trial.try_parts = lambda *given, **named: []
"""

FAKE_WORK = f"""{UNTRIED}
import os, signal, time
from pathlib import Path
import freeda_svc.workers.performing
from freeda_svc.errors import UnavailableError

def perform(held, claim):
    words = " ".join(claim.input.get("captions", ()))
    if "killer" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "missing" in words and not Path({{flag!r}}).exists():
        raise UnavailableError("the bank does not answer")
    if "slow" in words and claim.attempt == 1:
        time.sleep(3)
    return {{{{"attempt": claim.attempt}}}}

freeda_svc.workers.performing.perform = perform
"""


@pytest.fixture
def run_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have every process that is started from now on run some code first."""

    def prepare(code: str) -> None:
        folder = tmp_path / "first"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))

    return prepare


@pytest.fixture
def untried(run_first: Callable[[str], None]) -> None:
    """Workers do not try their parts: the pack is a described one, without weights."""
    run_first(UNTRIED)


@pytest.fixture
def fake_work(tmp_path: Path, run_first: Callable[[str], None]) -> Path:
    """Workers do nothing for an item but what its captions say: see FAKE_WORK; returns the file that is missed."""
    flag = tmp_path / "flag"
    run_first(FAKE_WORK.format(flag=str(flag)))
    return flag


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    def look(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return state != "Z"

    return look
