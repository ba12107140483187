"""The demonstration, shortened: real broker, real worker, real bank, every step through the queue."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.cli.following import follow_job
from freeda_svc.demo.run import prepare_folder, run_demo
from freeda_svc.demo.world import DemoPlan
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobKind, JobState, JobSummary, list_jobs
from freeda_svc.miniature.scenes import NOUNS
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import worker_is_running

# Minutes on an idle machine; a busy one may take several times as long.
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1800)]

PLAN = DemoPlan(captions=80, extension_captions=24, scenes=40)


def _follow(settings: Settings, job_id: str, label: str) -> JobSummary:
    return follow_job(LocalBackend(settings), job_id, label, quiet=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo-output"
    run_demo(PLAN, folder, _follow)
    return folder


@pytest.fixture(scope="module")
def report(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    return content


def test_masks_are_right_far_beyond_chance(report: dict[str, Any]) -> None:
    """Measured on the whole demonstration: 0.78 against 0.02 of the control."""
    assert report["miou"] > 0.55
    assert report["ablation"]["random_prototypes"] < report["miou"] - 0.35


def test_each_part_of_the_method_helps(report: dict[str, Any]) -> None:
    ablation = report["ablation"]
    assert ablation["local_only"] < ablation["with_global"] < ablation["full"] + 0.01
    assert ablation["full"] > ablation["local_only"] + 0.03
    assert report["miou"] == ablation["full"]
    assert ablation["refined"] > ablation["full"] + 0.01  # 0.03 measured


def test_a_new_word_is_learnt(report: dict[str, Any]) -> None:
    extension = report["extension"]
    assert extension["noun"] == PLAN.extension_noun
    assert extension["iou_after"] > extension["iou_before"] + 0.1


def test_report_counts_what_was_done(report: dict[str, Any], out: Path) -> None:
    assert report["images_generated"] == PLAN.captions + PLAN.extension_captions
    assert report["prototypes"] > report["images_generated"]
    assert len(list((out / "home" / "artifacts" / "thumbnails").glob("*.mask.png"))) == report["prototypes"]


def test_everything_went_through_jobs_and_the_worker_is_gone(out: Path) -> None:
    settings = load_settings(home=out / "home")
    jobs = list_jobs(settings)
    assert [job.kind for job in reversed(jobs)] == [
        JobKind.INGEST,
        JobKind.SEGMENT,
        JobKind.INGEST,
        *[JobKind.SEGMENT] * 5,
    ]
    assert all(job.state == JobState.DONE for job in jobs)
    assert not worker_is_running(settings)


def test_no_file_has_a_blank_in_its_name(out: Path) -> None:
    assert [str(path.relative_to(out)) for path in out.rglob("*") if " " in path.name] == []


def test_pictures_are_written(out: Path) -> None:
    with Image.open(out / "gallery.png") as gallery:
        assert gallery.width > 800
        assert len(gallery.convert("RGB").getcolors(10**6) or []) > 1000
    masks = sorted((out / "masks" / "full").glob("*.mask.png"))
    assert len(masks) == PLAN.scenes
    with Image.open(masks[0]) as mask:
        assert mask.mode == "P"
        assert np.asarray(mask).max() < len(NOUNS)


def test_a_folder_that_is_not_the_demonstration_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(InputError, match="was not made by `freeda demo`"):
        prepare_folder(tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "keep me"


def test_an_earlier_demonstration_is_replaced(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "out")
    (tmp_path / "out" / "report.json").write_text("old")
    prepare_folder(tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()
