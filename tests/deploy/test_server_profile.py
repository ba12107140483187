"""The wiring of docker-compose.yml as plain processes: commands, settings and secrets are those of that file.

Real are the broker (Valkey, over TCP, with a password and an append-only file), PostgreSQL, the migration step, one
worker for generation and one for segmentation, each with a home of its own, and the command line; they share nothing
but the servers and the folder of artifacts. Qdrant is real only where FREEDA_TEST_QDRANT_URL names a server; otherwise
a stand-in speaks its protocol over HTTP and asks for the key (tests/bank/qdrant). The models are untrained.
"""

import io
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from PIL import Image
from sqlalchemy import select

from freeda_svc.bank import BankName
from freeda_svc.bank.qdrant.connection import connect
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import EventKind
from freeda_svc.jobs.database import close_databases, reading
from freeda_svc.jobs.tables import Event, Job
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.broker import answers
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import API_KEY, StubServer
from tests.deploy.documents import COMPOSE, DEPLOY, read_compose, seconds
from tests.free_ports import free_port
from tests.postgresql import PostgresServer
from tests.tcp_broker import tcp_broker

pytestmark = pytest.mark.end_to_end
SERVICES = read_compose(COMPOSE)["services"]
START_SECONDS = 300.0
SERVER_URL = os.environ.get("FREEDA_TEST_QDRANT_URL", "")


@dataclass
class Deployment:
    """The services of the compose file, each a process; places in containers become places in one folder."""

    folder: Path
    pack: Path
    qdrant_url: str
    ports: dict[str, int] = field(default_factory=dict)
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def environment(self, service: str) -> dict[str, str]:
        """What the compose file gives a service, with the places and addresses of this machine."""
        given: dict[str, str] = dict(SERVICES[service]["environment"])
        places = {
            "/run/secrets": self.folder / "secrets",
            "/var/lib/freeda/home": self.folder / f"home-{service}",
            "/var/lib/freeda": self.folder / "shared",
        }
        for name, value in given.items():
            for place, stands_in in places.items():
                given[name] = given[name].replace(place, str(stands_in))
            assert value
            assert "/run/" not in given[name]
        given |= {"FREEDA_PACK": str(self.pack), "FREEDA_QDRANT_URL": self.qdrant_url, "FREEDA_DEVICE": "cpu"}
        if "FREEDA_METRICS_PORT" in given:
            self.ports.setdefault(service, free_port())
            given |= {"FREEDA_METRICS_PORT": str(self.ports[service]), "FREEDA_METRICS_HOST": "127.0.0.1"}
        if "FREEDA_API_HOST" in given:  # keys are needed as at the address of the container
            self.ports.setdefault(service, free_port())
            given |= {"FREEDA_API_PORT": str(self.ports[service]), "FREEDA_API_HOST": "127.0.0.1"}
            given |= {"FREEDA_API_KEYS": "always", "FREEDA_API_NAMES": ""}
        if "FREEDA_INPUT_ROOTS" in given:
            given["FREEDA_INPUT_ROOTS"] = str(self.folder / "inputs")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FREEDA_")}
        return {**inherited, **given, "OMP_NUM_THREADS": "1"}

    def start(self, service: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command of a service, or another one as `docker compose run` does."""
        command = arguments or tuple(SERVICES[service]["command"])
        with self.log(service).open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *command],
                env=self.environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def run(self, service: str, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; returns its exit code and what all commands of the service have complained of."""
        code = self.start(service, *arguments).wait(START_SECONDS)
        return code, self.log(service).read_text()

    def output(self, service: str, *command: str) -> str:
        """Run a command to its end; returns what it printed."""
        found = subprocess.run(
            [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *command],
            env=self.environment(service),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=START_SECONDS,
        )
        return found.stdout

    def log(self, service: str) -> Path:
        """What a service has told."""
        return self.folder / f"{service}.log"

    def health(self, service: str) -> int:
        """Run the health check that the compose file has."""
        port = str(self.ports[service])
        environment = {**os.environ, "FREEDA_METRICS_PORT": port, "FREEDA_API_PORT": port}
        command = [sys.executable, str(DEPLOY / "health.py"), *SERVICES[service]["healthcheck"]["test"][3:]]
        return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120).returncode

    def metrics(self, service: str) -> str:
        """What a worker tells Prometheus."""
        return httpx.get(f"http://127.0.0.1:{self.ports[service]}/metrics", timeout=120).text

    def settings(self) -> Settings:
        """To look into the database with."""
        url = (self.folder / "secrets" / "database_url").read_text().strip()
        return load_settings(home=self.folder / "looking", database_url=url)

    def end(self) -> None:
        """Leave nothing running."""
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def qdrant() -> Iterator[tuple[str, str]]:
    """Address and key of a Qdrant server, or of what stands in for one."""
    if not SERVER_URL:
        stub = StubServer(LocalConnection().client())
        stub.refuse = lambda method, path, content: (200, {}, b"all shards are ready") if path == "/readyz" else None
        stub.start()
        yield f"http://127.0.0.1:{stub.port}", API_KEY
        stub.stop()
        return
    key = os.environ.get("FREEDA_TEST_QDRANT_API_KEY", "")
    banks = ServerBanks(connect(SERVER_URL, key))
    try:
        banks.resolve("default")
    except NotFoundError:
        yield SERVER_URL, key
        banks.drop(BankName("default", 1))
    else:
        pytest.fail(f"{SERVER_URL} has a bank already; give the tests a server of their own")
    finally:
        banks.close()


@pytest.fixture
def deployment(
    tmp_path: Path, qdrant: tuple[str, str], postgres_server: PostgresServer, tiny_pack_folder: Path
) -> Iterator[Deployment]:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "secrets").mkdir()
    with tcp_broker(tmp_path / "broker") as broker_url:
        values = {
            "broker_url": broker_url,
            "database_url": postgres_server.new_database(),
            "qdrant_api_key": qdrant[1],
        }
        for name, value in values.items():
            (tmp_path / "secrets" / name).write_text(f"{value}\n")
        made = Deployment(tmp_path, tiny_pack_folder, qdrant[0])
        yield made
        made.end()
        close_databases()


def _wait(is_so: Any, what: str) -> None:  # noqa: ANN401 - anything that can be called
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def _begun(settings: Settings) -> dict[str, set[str]]:
    """For each kind of job the homes of the workers that began an item of it."""
    query = select(Job.kind, Event.message).join(Job, Job.id == Event.job_id).where(Event.kind == EventKind.BEGUN)
    with reading(settings) as session:
        rows = session.execute(query).all()
    return {kind: {Path(worker.partition(":")[2]).name for found, worker in rows if found == kind} for kind, _ in rows}


def test_the_services_of_the_compose_file_work_together(deployment: Deployment) -> None:
    inputs = deployment.folder / "inputs"
    (inputs / "captions.txt").write_text("a dog under a tree\na cat beside a tree\n")
    picture = np.random.default_rng(0).integers(0, 256, (48, 72, 3), dtype=np.uint8)
    Image.fromarray(picture).save(inputs / "photo.png")

    code, err = deployment.run("generation", *SERVICES["generation"]["command"])
    assert code == 1
    assert "run `freeda db upgrade`" in err
    assert deployment.run("migrate")[0] == 0

    workers = {name: deployment.start(name) for name in ("generation", "segmentation")}
    for name in workers:
        _wait(lambda name=name: deployment.health(name) == 0, deployment.log(name).read_text())

    code, err = deployment.run("cli", "ingest", str(inputs / "captions.txt"), "--wait")
    assert code == 0, err
    out = deployment.folder / "out"
    photo = str(inputs / "photo.png")
    code, err = deployment.run("cli", "segment", photo, "-c", "dog", "-c", "tree", "--wait", "--out", str(out))
    assert code == 0, err
    with Image.open(out / "photo.mask.png") as mask:
        assert mask.size == (72, 48)

    _ask_the_api(deployment, photo)
    outside = deployment.folder / "outside.png"
    Image.fromarray(picture).save(outside)
    assert deployment.run("cli", "segment", str(outside), "-c", "dog")[0] != 0

    assert _begun(deployment.settings()) == {"ingest": {"home-generation"}, "segment": {"home-segmentation"}}
    shared = deployment.folder / "shared" / "artifacts"
    assert {path.name for path in shared.iterdir()} >= {"inputs", "results", "thumbnails"}
    assert not list(deployment.folder.glob("home-*/artifacts/*"))
    assert not list(deployment.folder.glob("home-*/logs/*.log"))

    made, cut = (deployment.metrics(name) for name in workers)
    assert 'freeda_prototypes_total{kind="ingest"} 4.0' in made
    assert 'freeda_bank_prototypes{bank="default@1"} 4.0' in made
    assert 'freeda_attempts_total{kind="segment",outcome="done"} 2.0' in cut
    for told in (made, cut):
        assert "freeda_database_up 1.0" in told
        assert "freeda_broker_up 1.0" in told
        assert "freeda_bank_up 1.0" in told

    logs = "".join(deployment.log(name).read_text() for name in workers)
    for name in ("broker_url", "database_url", "qdrant_api_key"):
        secret = (deployment.folder / "secrets" / name).read_text().strip()
        assert secret not in logs + made + cut

    for process in workers.values():
        process.send_signal(signal.SIGTERM)
    for name, process in workers.items():
        assert process.wait(seconds(SERVICES[name]["stop_grace_period"])) == 0


def _ask_the_api(deployment: Deployment, photo: str) -> None:
    """See that the API starts once there is a key, and does what is asked with it."""
    code, err = deployment.run("api", *SERVICES["api"]["command"])
    assert code == 1
    assert "create one with `freeda keys create NAME --scope administer`" in err
    key = deployment.output("cli", "keys", "create", "admin", "--scope", "administer").strip()
    server = deployment.start("api")
    _wait(lambda: deployment.health("api") == 0, deployment.log("api").read_text())
    address = f"http://127.0.0.1:{deployment.ports['api']}"
    assert httpx.get(f"{address}/metrics", timeout=120).status_code == 401
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=120) as asking:
        assert asking.get("/health/ready").json()["queues"]
        assert "freeda_api_requests_total" in asking.get("/metrics").text
        assert asking.get("/v1/banks/default").json()["prototypes"] == 4
        answer = asking.post(
            "/v1/segmentations",
            files={"image": Path(photo).read_bytes()},
            data={"categories": "dog, tree"},
            headers={"Prefer": "wait=60"},
        )
        assert (answer.status_code, answer.json()["state"]) == (200, "done"), answer.text
        mask = asking.get(answer.json()["items"][0]["files"]["mask"]).content
    with Image.open(io.BytesIO(mask)) as image:
        assert image.size == (72, 48)
    server.send_signal(signal.SIGTERM)
    assert server.wait(START_SECONDS) == -signal.SIGTERM  # it ends what it answers, and then by the signal itself
    assert key not in deployment.log("api").read_text()
    assert not [path for path in (deployment.folder / "home-api" / "uploads").rglob("*") if path.is_file()]


def test_no_server_lets_in_who_has_no_password(deployment: Deployment) -> None:
    url = (deployment.folder / "secrets" / "broker_url").read_text().strip()
    password = url.partition("://:")[2].partition("@")[0]
    assert answers(url)
    assert not answers(url.replace(f":{password}@", ""))
    assert not answers(url.replace(password, secrets.token_hex(8)))
    database = (deployment.folder / "secrets" / "database_url").read_text().strip().replace("+psycopg", "")
    name, _, word = database.partition("://")[2].partition("@")[0].partition(":")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(database.replace(f"{name}:{word}@", f"{name}:wrong@"))
    if not SERVER_URL:
        with pytest.raises(httpx.HTTPStatusError):
            httpx.get(f"{deployment.qdrant_url}/collections").raise_for_status()
