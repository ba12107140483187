"""Submissions that are cut off in the middle and done again make one job with all images: with real processes.

No worker runs: whether a job is accepted does not depend on one.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import freeda_svc
from freeda_svc.cli.backends.request_names import LEFT
from freeda_svc.jobs import list_jobs, submitted_images
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings, load_settings, prepare_home
from tests.api.api_process import ApiProcess
from tests.api.relay import Relay
from tests.cli.conftest import own_environment
from tests.free_ports import free_port

pytestmark = pytest.mark.end_to_end
NAMES = ["a.png", "b.png", "c.png"]
IN_THE_MIDDLE = 300_000
"""Bytes: after the first of the images."""
SECONDS = 120.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def settings(tmp_path: Path, described_pack: str) -> Settings:
    made = load_settings(home=tmp_path / "home", pack=described_pack)
    prepare_home(made)
    return made


@pytest.fixture
def servers(settings: Settings) -> Iterator[Callable[[], ApiProcess]]:
    """Starts servers of one installation, which share what they know."""
    started: list[ApiProcess] = []

    def start() -> ApiProcess:
        started.append(ApiProcess(settings.model_copy(update={"api_port": free_port()})))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def relay(servers: Callable[[], ApiProcess]) -> Iterator[Relay]:
    made = Relay(servers().address)
    yield made
    made.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Images of noise, each of which is larger than what sockets hold."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        pixels = np.random.default_rng(number).integers(0, 256, (256, 384, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def start(relay: Relay, tmp_path: Path) -> Iterator[Start]:
    """Start a command that asks through the relay, from a home of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *map(str, arguments)],
            env=own_environment(tmp_path / "elsewhere", FREEDA_SERVER=relay.address, NO_PROXY="*"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def segment(start: Start, photos: Path) -> Start:
    return partial(start, "segment", photos, "-c", "sky, grass", "--quiet")


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out.strip(), err


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def only_job(settings: Settings) -> str:
    """The one job there is, with all images, each once."""
    [job] = list_jobs(settings)
    assert [image.name for image in submitted_images(settings, job.id)] == NAMES
    with reading(settings) as session:
        kept = [item.input["image"] for item in session.query(WorkItem).filter_by(job_id=job.id)]
    assert len(set(kept)) == len(NAMES)
    assert all((settings.artifacts_folder / image).is_file() for image in kept)
    return job.id


def test_client_killed_while_it_uploads(settings: Settings, relay: Relay, segment: Start) -> None:
    relay.most_sent = IN_THE_MIDDLE
    first = segment()
    relay.wait_until_halted()
    kill(first)
    relay.let_go()
    code, out, err = ended(segment())
    assert code == 0, err
    assert out == only_job(settings)
    assert err.count(LEFT) == 1


@pytest.mark.parametrize("key", [(), ("--idempotency-key", "photos of May")], ids=["no key", "own key"])
def test_client_killed_before_the_answer_comes(
    settings: Settings, relay: Relay, segment: Start, key: tuple[str, ...]
) -> None:
    relay.keeps_answers = True
    first = segment(*key)
    relay.wait_until_halted()
    kill(first)
    relay.let_go()
    accepted = only_job(settings)
    code, out, err = ended(segment(*key))
    assert (code, out) == (0, accepted), err
    assert only_job(settings) == accepted
    assert err.count(LEFT) == (0 if key else 1)


def test_client_killed_while_it_waits_for_results(settings: Settings, segment: Start, tmp_path: Path) -> None:
    first = segment("--out", tmp_path / "masks")
    deadline = time.monotonic() + SECONDS
    while not list_jobs(settings):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.05)
    kill(first)
    code, out, err = ended(segment())
    assert (code, out) == (0, only_job(settings)), err


def test_a_command_that_ended_is_another_one_when_it_is_typed_again(settings: Settings, segment: Start) -> None:
    first, second = (ended(segment()) for _ in range(2))
    assert (first[0], second[0]) == (0, 0)
    assert {job.id for job in list_jobs(settings)} == {first[1], second[1]}
    assert len({first[1], second[1]}) == 2
    assert not first[2] + second[2]


def test_two_that_run_at_once_are_two_requests(settings: Settings, relay: Relay, segment: Start) -> None:
    relay.keeps_answers = True
    first = segment()
    relay.wait_until_halted()
    relay.keeps_answers = False
    second = ended(segment())
    relay.let_go()
    found = ended(first)
    assert (found[0], second[0]) == (0, 0), found[2] + second[2]
    assert {job.id for job in list_jobs(settings)} == {found[1], second[1]}
    assert len(list_jobs(settings)) == 2


@pytest.mark.parametrize("is_accepted", [False, True], ids=["before it accepts", "after it has accepted"])
def test_server_killed_while_a_client_uploads(
    settings: Settings, relay: Relay, servers: Callable[[], ApiProcess], segment: Start, is_accepted: bool
) -> None:
    hit = servers()
    relay.upstream, relay.keeps_answers = hit.address, is_accepted
    relay.most_sent = None if is_accepted else IN_THE_MIDDLE
    other = servers()
    running = segment()
    relay.wait_until_halted()
    assert len(list_jobs(settings)) == int(is_accepted)
    hit.kill()
    relay.upstream = other.address
    relay.let_go()
    code, out, err = ended(running)
    assert code == 0, err
    assert out == only_job(settings)


def test_captions_and_exemplars_are_not_taken_twice(
    settings: Settings, relay: Relay, start: Start, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "captions.txt").write_text("a cat on a hill\na dog under a tree\n")
    mask = np.zeros((256, 384), dtype=bool)
    mask[40:90, 60:120] = True
    Image.fromarray(mask).save(tmp_path / "mask.png")
    image = ("--image", photos / "a.png", "--mask", tmp_path / "mask.png")
    for number, command in enumerate(
        (("ingest", tmp_path / "captions.txt"), ("bank", "add-exemplars", "--noun", "lamp", *image))
    ):
        relay.keeps_answers = True
        first = start(*command, "--quiet")
        relay.wait_until_halted()
        kill(first)
        relay.keeps_answers = False
        relay.halted.clear()
        jobs = list_jobs(settings)
        assert len(jobs) == number + 1
        code, out, err = ended(start(*command, "--quiet", "--json"))
        assert code == 0, err
        assert json.loads(out)["job"] == jobs[0].id
        assert len(list_jobs(settings)) == number + 1


def test_the_client_of_python_goes_on_by_itself(settings: Settings, relay: Relay, photos: Path) -> None:
    relay.keeps_answers = True
    with freeda_svc.Client(relay.address) as client, ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(client.submit, photos, ["sky", "grass"], idempotency_key="May")
        relay.wait_until_halted()
        relay.let_go()
        assert submitting.result(SECONDS) == only_job(settings)
        assert client.submit(photos, ["sky", "grass"], idempotency_key="May") == only_job(settings)
