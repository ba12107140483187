"""Whole jobs whose inputs, results and thumbnails are in a bucket: real processes, and a server that fails."""

import hashlib
import io
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from freeda_svc.api import api_beside
from freeda_svc.artifacts import open_artifacts, s3
from freeda_svc.captions import make_caption
from freeda_svc.cli.main import main
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import (
    ENDED_JOB_STATES,
    JobKind,
    JobState,
    Move,
    export_results,
    follow_job,
    job_items,
    job_summary,
    list_jobs,
    move_outcome,
    prune_jobs,
    submit_exemplars,
    submit_ingest,
    submit_move,
    submit_segment,
    submitted_images,
)
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.resumption import is_kept
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.prototypes.exemplar_files import MarkedImage
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import CeleryDispatcher, background_stack, search_bank
from freeda_svc.workers.backoff import wait_until
from tests.free_ports import free_port
from tests.s3_server import BUCKET, Behaviour, S3Server

pytestmark = pytest.mark.end_to_end

_ZERO = timedelta(0)
PREFIX = "team/freeda"
SECONDS = 120.0


@dataclass
class Service:
    """A stack and an API whose artifacts are in a bucket.

    Attributes:
        settings: of the installation.
        server: that has the bucket.
        reader: settings of a machine with no copies, which shares nothing but database and bucket.
        jobs: what was submitted.
    """

    settings: Settings
    server: S3Server
    reader: Settings
    jobs: list[str] = field(default_factory=list)

    def segment(self, *images: Path, **options: bool) -> str:
        return submit_segment(
            self.settings,
            list(images),
            [{"name": "ball"}, {"name": "sky"}],
            dispatcher=CeleryDispatcher(self.settings),
            **options,
        )

    def end_of(self, job: str) -> JobState:
        *_, last = follow_job(self.settings, job, every_seconds=0.05)
        return last.state


@pytest.fixture(scope="module")
def service(access: None, server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(s3, "CONNECT_SECONDS", 2)
        folder = tmp_path_factory.mktemp("service")
        settings = load_settings(
            home=folder / "home",
            artifacts=f"s3://{BUCKET}/{PREFIX}/",
            s3_endpoint=server.endpoint,
            api_port=free_port(),
            reconcile_seconds=0.3,
        )
        prepare_home(settings)
        reader = settings.model_copy(
            update={"home": folder / "reader", "database_url": f"sqlite:///{settings.database_file}"}
        )
        with background_stack(settings), api_beside(settings) as is_run:
            assert is_run
            made = Service(settings, server, reader)
            captions = [make_caption(paint_scene((11, number), EASY).caption) for number in range(6)]
            job = submit_ingest(
                settings,
                [caption for caption in captions if caption is not None],
                source="captions.txt",
                dispatcher=CeleryDispatcher(settings),
            )
            assert made.end_of(job) == JobState.DONE
            yield made


@pytest.fixture
def image_file(tmp_path: Path) -> Callable[[int], Path]:
    def make(number: int) -> Path:
        path = tmp_path / f"scene-{number}.png"
        Image.fromarray(paint_scene((12, number), EASY).image).save(path)
        return path

    return make


@pytest.fixture
def healthy(service: Service) -> Iterator[S3Server]:
    """The server, which a test may kill; afterwards it runs again with what it had."""
    kept = service.server.objects()
    yield service.server
    service.server.kill()
    service.server.start(objects=kept)


def _keys(server: S3Server) -> set[str]:
    return {key.removeprefix(f"{PREFIX}/") for key in server.objects()}


def _outcomes(settings: Settings, job: str) -> list[str]:
    with reading(settings) as session:
        query = select(Attempt.outcome).join(WorkItem).where(WorkItem.job_id == job).order_by(Attempt.number)
        return list(session.scalars(query))


def _freeda(settings: Settings, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.as_environment().items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["freeda", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


def test_a_job_from_submission_to_files(service: Service, image_file: Callable[[int], Path], tmp_path: Path) -> None:
    images = [image_file(1), image_file(2)]
    job = service.segment(*images, explain=True)
    assert service.end_of(job) == JobState.DONE
    kept = {f"results/{job}/{number}/{name}" for number in (1, 2) for name in ("mask.png", "summary.json")}
    inputs = {f"inputs/{hashlib.sha256(path.read_bytes()).hexdigest()}.png" for path in images}
    assert kept | inputs <= _keys(service.server)

    out = tmp_path / "out"
    formats = ["mask", "overlay", "evidence-page", "scores-npz", "yolo", "index"]
    exported = export_results(service.reader, job, out, formats)
    assert [(image.error, sorted(image.files)) for image in exported] == [
        ("", ["evidence-page", "mask", "overlay", "scores-npz"])
    ] * 2
    with Image.open(out / "scene-1.mask.png") as mask, Image.open(images[0]) as image:
        assert mask.size == image.size
        assert set(np.unique(np.asarray(mask))) <= {0, 1, 255}
    assert "data:image/png;base64," in (out / "scene-1.evidence.html").read_text()
    assert len(list((out / "yolo" / "images").iterdir())) == 2
    assert all(is_kept(service.reader, image) for image in submitted_images(service.settings, job))


def test_pictures_of_one_job_have_the_same_colours_wherever_they_are_made(
    service: Service, image_file: Callable[[int], Path], tmp_path: Path
) -> None:
    job = service.segment(image_file(1))
    assert service.end_of(job) == JobState.DONE
    notes = f"results/{job}/colours.jsonl"
    export_results(service.reader, job, tmp_path / "there", ["overlay"])
    noted = service.server.objects()[f"{PREFIX}/{notes}"]
    assert noted
    export_results(service.settings, job, tmp_path / "here", ["overlay"])
    assert service.server.objects()[f"{PREFIX}/{notes}"] == noted
    there, here = (tmp_path / name / "scene-1.overlay.png" for name in ("there", "here"))
    assert there.read_bytes() == here.read_bytes()


def test_the_api_answers_from_the_bucket(service: Service, image_file: Callable[[int], Path]) -> None:
    image = image_file(3)
    job = service.segment(image)
    assert service.end_of(job) == JobState.DONE
    shutil.rmtree(service.settings.artifacts_folder)  # copies are made again
    found = search_bank(service.settings, "ball", limit=1)[0]
    address = f"http://127.0.0.1:{service.settings.api_port}"
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        files = f"/v1/jobs/{job}/results"
        assert client.get(f"{files}/1.image").content == image.read_bytes()
        mask, overlay = (client.get(f"{files}/1.{ending}") for ending in ("mask.png", "overlay.png"))
        assert Image.open(io.BytesIO(mask.content)).size == (64, 64)
        assert Image.open(io.BytesIO(overlay.content)).width > 64
        with zipfile.ZipFile(io.BytesIO(client.get(f"{files}.zip").content)) as archive:
            assert archive.testzip() is None
            assert archive.read("scene-3.mask.png") == mask.content
        picture = client.get(f"/v1/banks/default/prototypes/{found['id']}/picture.png")
        assert Image.open(io.BytesIO(picture.content)).width > 64

        open_artifacts(service.settings).remove_below(f"results/{job}")
        open_artifacts(service.settings).remove(submitted_images(service.settings, job)[0].kept)
        shutil.rmtree(service.settings.artifacts_folder)
        gone = [client.get(f"{files}/1.{ending}") for ending in ("mask.png", "image")]
    assert [answer.status_code for answer in gone] == [410, 410]
    assert all(BUCKET not in answer.text and str(service.server.port) not in answer.text for answer in gone)


def test_exemplars_are_kept_in_the_bucket(service: Service, image_file: Callable[[int], Path]) -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:48, 16:48] = True
    marked = [MarkedImage("gizmo", image_file(4), mask, "")]
    job = submit_exemplars(service.settings, marked, source="gizmo.json", dispatcher=CeleryDispatcher(service.settings))
    assert service.end_of(job) == JobState.DONE
    found = search_bank(service.settings, "gizmo", limit=1)[0]
    assert {found["image"], found["mask"]} <= _keys(service.server)


def test_commands_about_prototypes_and_archives(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = search_bank(service.settings, "ball", limit=1)[0]
    code, out, _ = _freeda(service.settings, capsys, "bank", "show", found["id"], "--out", tmp_path / "a.png", "--json")
    assert code == 0
    assert json.loads(out)["image"] == f"s3://{BUCKET}/{PREFIX}/{found['image']}"
    assert (tmp_path / "a.png").is_file()

    code, _, err = _freeda(service.settings, capsys, "bank", "export", tmp_path / "archive")
    assert (code, "not there" in err) == (0, False), err
    before = _keys(service.server)
    open_artifacts(service.settings).remove(found["image"])
    code, _, err = _freeda(service.settings, capsys, "bank", "import", tmp_path / "archive", "--bank", "again")
    assert code == 0, err
    assert _keys(service.server) == before

    code, out, _ = _freeda(service.settings, capsys, "backup", tmp_path / "backup")
    assert code == 0
    assert f"not part of it: they are in the bucket, at s3://{BUCKET}/{PREFIX}" in out
    assert not (tmp_path / "backup" / "artifacts").exists()


def test_a_server_that_dies_within_the_upload_of_a_result(
    service: Service, healthy: S3Server, image_file: Callable[[int], Path]
) -> None:
    kept, image = healthy.objects(), image_file(5)
    healthy.kill()
    healthy.start(Behaviour(dies_at="/results/", after=2), kept)
    job = service.segment(image)
    [submitted] = submitted_images(service.settings, job)
    healthy.wait_for_its_end(SECONDS)
    assert wait_until(lambda: "handed back" in _outcomes(service.settings, job), SECONDS)
    [item] = job_items(service.settings, job)
    assert item.state == "queued"
    assert job_summary(service.settings, job).state not in ENDED_JOB_STATES
    healthy.start(objects=kept | {f"{PREFIX}/{submitted.kept}": image.read_bytes()})
    assert service.end_of(job) == JobState.DONE
    assert set(_outcomes(service.settings, job)) == {"handed back", "done"}
    assert is_kept(service.reader, submitted)


def test_a_bank_is_moved_when_the_server_is_there_again(service: Service, healthy: S3Server, tmp_path: Path) -> None:
    settings, kept, archive = service.settings, healthy.objects(), tmp_path / "archive"
    pictures = {key.removeprefix(f"{PREFIX}/") for key in kept if "/thumbnails/" in key}
    assert pictures

    def moved_while_away(move: Move) -> dict[str, Any]:
        """Submit a move while the server is away, let it come back, and return what came of it."""
        shutil.rmtree(settings.artifacts_folder)  # so that nothing is taken from a copy
        healthy.kill()
        job = submit_move(settings, move, pack="", prototypes=1, dispatcher=CeleryDispatcher(settings))
        assert wait_until(lambda: "handed back" in _outcomes(settings, job), SECONDS)
        assert job_summary(settings, job).state not in ENDED_JOB_STATES
        healthy.start(objects=kept)
        assert service.end_of(job) == JobState.DONE
        assert set(_outcomes(settings, job)) == {"handed back", "done"}
        return move_outcome(settings, job)

    exported = moved_while_away(Move(JobKind.EXPORT, "default@1", {"folder": str(archive)}))
    assert (exported["prototypes"] > 0, exported["missing_pictures"]) == (True, 0)
    imported = moved_while_away(Move(JobKind.IMPORT, "moved@1", {"archive": str(archive)}))
    assert (imported["added"], imported["prototypes"]) == (exported["prototypes"], exported["prototypes"])
    assert pictures <= _keys(healthy)


def test_a_slow_server_only_takes_longer(
    service: Service, healthy: S3Server, image_file: Callable[[int], Path]
) -> None:
    kept = healthy.objects()
    healthy.kill()
    healthy.start(Behaviour(slow_seconds=0.2), kept)
    job = service.segment(image_file(6))
    assert service.end_of(job) == JobState.DONE
    assert _outcomes(service.settings, job) == ["done"]


def test_nothing_is_accepted_while_the_server_is_away(
    service: Service, healthy: S3Server, image_file: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(list_jobs(service.settings))
    image = image_file(7)
    healthy.kill()
    with pytest.raises(UnavailableError, match=f"the artifacts at s3://{BUCKET}/{PREFIX} cannot be used"):
        service.segment(image)
    code, _, err = _freeda(service.settings, capsys, "segment", image, "-c", "ball")
    assert code == 1
    assert err.count("\n") == 1, err
    assert "the server cannot be reached" in err
    code, out, _ = _freeda(service.settings, capsys, "doctor", "--json")
    assert code == 1
    findings = {one["part"]: one for one in json.loads(out)["findings"]}
    assert findings["artifacts"]["verdict"] == "wrong"
    assert len(list_jobs(service.settings)) == before


def test_doctor_looks_at_a_bucket(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    before = _keys(service.server)
    _, out, _ = _freeda(service.settings, capsys, "doctor", "--json")
    findings = {one["part"]: one for one in json.loads(out)["findings"]}
    assert findings["artifacts"]["verdict"] == "ok"
    assert _keys(service.server) == before


def test_pruning_removes_objects(service: Service, image_file: Callable[[int], Path]) -> None:
    job = service.segment(image_file(8))
    assert service.end_of(job) == JobState.DONE
    [submitted] = submitted_images(service.settings, job)
    moment = time.time() - 3600  # the server's clock has whole seconds
    assert all(file.written > moment for file in open_artifacts(service.settings).files(f"results/{job}"))
    before = _keys(service.server)
    time.sleep(1.1)
    would = prune_jobs(service.reader, _ZERO, dry_run=True, only=[job])
    assert _keys(service.server) == before
    pruned = prune_jobs(service.reader, _ZERO, dry_run=False, only=[job])
    assert (would.files, would.bytes) == (pruned.files, pruned.bytes)
    gone = before - _keys(service.server)
    assert {key for key in gone if not key.startswith(f"results/{job}/")} <= {submitted.kept}
    assert not any(key.startswith(f"results/{job}/") for key in _keys(service.server))
    assert pruned.files == len(gone)


def test_no_copy_or_log_has_the_access_key(service: Service) -> None:
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for path in service.settings.home.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path
