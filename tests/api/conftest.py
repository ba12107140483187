import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from freeda_svc.api import api_beside, make_application
from freeda_svc.captions import make_caption
from freeda_svc.jobs import JobState, Scope, create_key, follow_job, submit_ingest
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import CeleryDispatcher, background_stack
from tests.api.image_host import Host, hosting
from tests.free_ports import free_port

CAPTIONS = 12
START_SECONDS = 240.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Asks an application in this process; there is no worker."""
    application = make_application(settings)
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture
def host() -> Iterator[Host]:
    """A server from which images are fetched."""
    with hosting() as found:
        yield found


@dataclass(frozen=True)
class Service:
    """A running installation: broker, worker and API as processes, and a bank that knows a few captions.

    All tests of a run share it: make banks and jobs of your own for what changes or ends them.

    Attributes:
        settings: of the installation.
        address: of the API, without a slash at the end.
        ingest: the job that filled the bank.
    """

    settings: Settings
    address: str
    ingest: str

    def client(self, **given: object) -> httpx.Client:
        """Return a client of the API; close it."""
        return httpx.Client(base_url=self.address, timeout=120, trust_env=False, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The stack of `freeda up` on the miniature pack; see `Service`."""
    with running_service(tmp_path_factory.mktemp("service") / "home") as found:
        yield found


@contextmanager
def running_service(home: Path, **given: object) -> Iterator[Service]:
    """Run such a stack, with further settings; most tests share one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FREEDA_")]:
            patch.delenv(name)
        patch.setenv("OMP_NUM_THREADS", "1")
        settings = load_settings(home=home, api_port=free_port(), **given)
        prepare_home(settings)
        if settings.api_keys == "always":
            create_key(settings, "any", Scope.READ)  # without one the server does not start
        with background_stack(settings), api_beside(settings) as is_run:
            assert is_run
            address = f"http://127.0.0.1:{settings.api_port}"
            _wait_for(f"{address}/health/ready")
            yield Service(settings, address, _fill_bank(settings))


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.05)


def _fill_bank(settings: Settings) -> str:
    captions = [make_caption(paint_scene((11, number), EASY).caption) for number in range(CAPTIONS)]
    job = submit_ingest(
        settings,
        [caption for caption in captions if caption is not None],
        source="captions.txt",
        dispatcher=CeleryDispatcher(settings),
    )
    *_, ended = follow_job(settings, job, every_seconds=0.1)
    assert ended.state == JobState.DONE
    return job
