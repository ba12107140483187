"""Workers whose device, models, bank or folders do not work: real processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from freeda_svc.bank.banks import BankName
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.captions.caption import Caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import follow_job, job_items, submit_ingest, submit_segment
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, background_stack, bank_stats, ready_worker, running_broker_url
from freeda_svc.workers.ability import (
    FILE_BYTES,
    LONGEST_REASON,
    Ability,
    begin_ability,
    read_ability,
    worker_fault,
    write_ability,
)
from freeda_svc.workers.locks import worker_lock
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.trial import try_parts
from tests.free_ports import free_port
from tests.workers.conftest import UNTRIED

Captions = Callable[..., list[Caption]]
Eventually = Callable[..., None]


def test_all_parts_of_a_good_installation_work(make_settings: Callable[..., Settings], tiny_pack_folder: Path) -> None:
    settings = make_settings(pack=str(tiny_pack_folder))
    found = try_parts(settings, generator=True)
    assert [(tried.part, tried.works) for tried in found] == [
        ("models", True), ("device", True), ("bank", True), ("folders", True),
    ]  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there_is_found_and_the_models_are_not_blamed(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path
) -> None:
    found = try_parts(make_settings(pack=str(tiny_pack_folder), device="cuda"))
    assert [tried.part for tried in found if not tried.works] == ["device"]
    assert "the device 'cuda' cannot be used here" in found[1].message


@pytest.mark.parametrize("part", ["generator", "backbone"])
def test_files_of_a_pack_that_are_gone_are_found(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, tmp_path: Path, part: str
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack_folder, pack)
    weights = next((pack / part).rglob("*.safetensors"))
    weights.unlink()
    [broken] = [tried for tried in try_parts(make_settings(pack=str(pack))) if not tried.works]
    assert (broken.part, broken.passes) == ("models", False)
    assert weights.name in broken.message


def test_models_that_compute_nonsense_are_found(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from freeda_svc.encoders import DenseBackbone  # noqa: PLC0415

    monkeypatch.setattr(DenseBackbone, "try_out", lambda self: torch.full((1, 4, 8), torch.nan))
    [broken] = [tried for tried in try_parts(make_settings(pack=str(tiny_pack_folder))) if not tried.works]
    assert broken.part == "models"
    assert "not finite" in broken.message


def test_folders_that_are_gone_are_found(make_settings: Callable[..., Settings], tiny_pack_folder: Path) -> None:
    settings = make_settings(pack=str(tiny_pack_folder))

    def found(*, inputs: bool) -> list[str]:
        return [tried.message for tried in try_parts(settings, inputs=inputs) if not tried.works]

    assert found(inputs=False) == []
    assert "inputs is gone" in found(inputs=True)[0]
    settings.artifacts_folder.rmdir()
    assert "artifacts is gone" in found(inputs=False)[0]


def test_what_a_working_process_says_is_read_while_its_worker_lives(settings: Settings) -> None:
    assert read_ability(settings) is None
    assert worker_fault(settings) == ""
    with worker_lock(settings):
        begin_ability(settings, os.getpid())
        assert worker_fault(settings) == ""
        said = Ability(os.getpid(), reason="é" * 10_000, faults=3, device="é" * 10_000)
        write_ability(settings, said)
        assert worker_fault(settings) == "é" * LONGEST_REASON
        assert settings.worker_lock.with_suffix(".ability").stat().st_size == FILE_BYTES
        write_ability(settings, Ability(os.getpid(), able=True))
        assert worker_fault(settings) == ""


@pytest.mark.end_to_end
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_worker_without_its_device_refuses_to_start_and_fails_nothing(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, captions: Captions
) -> None:
    settings = make_settings(pack=str(tiny_pack_folder), device="cuda")
    job_id = submit_ingest(settings, captions(6), source="dogs", dispatcher=CeleryDispatcher(settings))
    with (
        pytest.raises(UnavailableError, match="does not start: the device 'cuda' cannot be used"),
        background_stack(settings),
    ):
        pass
    items = job_items(settings, job_id)
    assert [(item.state, item.attempts) for item in items] == [("queued", 0)] * 6
    assert ready_worker(settings) is None


@pytest.mark.end_to_end
def test_a_worker_whose_folder_goes_is_not_ready_and_goes_on_when_it_is_back(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path, captions: Captions, tmp_path: Path,
    eventually: Eventually,
) -> None:  # fmt: skip
    settings = make_settings(pack=str(tiny_pack_folder), metrics_port=free_port(), artifacts=str(tmp_path / "share"))
    health = f"http://127.0.0.1:{settings.metrics_port}/health/ready"
    image = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 72, 3), dtype=np.uint8)).save(image)
    dispatcher = CeleryDispatcher(settings)
    with background_stack(settings):
        assert httpx.get(health).json() == {"takes items": True}
        ability = read_ability(settings)
        assert ability is not None
        assert ability.device.startswith("cpu, ")
        job_id = submit_ingest(settings, captions(1), source="dogs", dispatcher=dispatcher)
        *_, last = follow_job(settings, job_id)
        assert last.state == "done"
        settings.artifacts_folder.rename(tmp_path / "unmounted")
        settings.artifacts_folder.mkdir()
        (tmp_path / "unmounted" / "inputs").mkdir(exist_ok=True)
        segmentation = submit_segment(settings, [image], [{"name": "dog"}, {"name": "tree"}], dispatcher=dispatcher)
        shutil.copytree(settings.artifacts_folder, tmp_path / "unmounted", dirs_exist_ok=True)
        shutil.rmtree(settings.artifacts_folder)
        eventually(lambda: "is gone" in worker_fault(settings))
        eventually(lambda: httpx.get(health).status_code == 503)
        assert "is gone" in httpx.get(health).json()["because"]
        with pytest.raises(UnavailableError, match="is gone"):
            bank_stats(settings)
        (tmp_path / "unmounted").rename(settings.artifacts_folder)
        *_, last = follow_job(settings, segmentation)
        assert last.state == "done"
        assert job_items(settings, segmentation)[0].error == ""
        eventually(lambda: httpx.get(health).status_code == 200)


FAILING_DEVICE = f"""{UNTRIED}
import pathlib
import freeda_svc.workers.performing

def perform(held, claim):
    import torch

    flag = pathlib.Path({{flag!r}})
    if not flag.exists():
        flag.touch()
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    return {{{{"images": 1}}}}

freeda_svc.workers.performing.perform = perform
"""


@pytest.mark.end_to_end
def test_a_failed_device_is_used_again_by_a_new_process(
    make_settings: Callable[..., Settings],
    described_pack: str,
    captions: Captions,
    run_first: Callable[[str], None],
    tmp_path: Path,
) -> None:
    run_first(FAILING_DEVICE.format(flag=str(tmp_path / "flag")))
    settings = make_settings(pack=described_pack)
    with background_stack(settings):
        job_id = submit_ingest(settings, captions(2), source="dogs", dispatcher=CeleryDispatcher(settings))
        *_, last = follow_job(settings, job_id)
    assert last.state == "done"
    assert [item.attempts for item in job_items(settings, job_id)] == [2, 1]
    log = settings.log_file.read_text()
    assert '"event": "item put back: it cannot be done now"' in log
    assert "illegal memory access" in log


def test_a_bank_is_searched_and_let_go_unless_it_was_open(
    make_settings: Callable[..., Settings], tiny_pack_folder: Path
) -> None:
    settings = make_settings(pack=str(tiny_pack_folder))
    first, second = Resources(settings), Resources(settings)
    bank = BankName("default", 1)
    first.create(bank)
    assert [tried.works for tried in try_parts(settings, first)] == [True] * 4
    resources = FolderLock(settings.banks_folder / "default" / "1")  # by another process
    [broken] = [tried for tried in try_parts(settings, first) if not tried.works]
    resources.release()
    assert (broken.part, broken.passes) == ("bank", True)
    second.bank(bank)
    assert all(tried.works for tried in try_parts(settings, second))
    assert second.is_open(bank)
    second.close()
    first.close()


def test_a_bank_that_is_broken_is_found(make_settings: Callable[..., Settings], tiny_pack_folder: Path) -> None:
    settings = make_settings(pack=str(tiny_pack_folder))
    resources = Resources(settings)
    resources.create(BankName("default", 1))
    resources.close()
    manifest = next((settings.banks_folder / "default" / "1").glob("*.json"))
    manifest.write_text("{")
    [broken] = [tried for tried in try_parts(settings) if not tried.works]
    assert (broken.part, broken.passes) == ("bank", False)


SLOW_TRIAL = """
import pathlib
import time
import freeda_svc.workers.trial

def try_slowly(*given, **named):
    pathlib.Path({flag!r}).touch()
    time.sleep(300)
    return []

freeda_svc.workers.trial.try_parts = try_slowly
"""


@pytest.mark.end_to_end
def test_a_worker_that_still_tries_its_parts_stops_at_once(
    make_settings: Callable[..., Settings],
    described_pack: str,
    run_first: Callable[[str], None],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    run_first(SLOW_TRIAL.format(flag=str(tmp_path / "flag")))
    settings = make_settings(pack=described_pack)
    environment = {**os.environ, **settings.as_environment()}
    with subprocess.Popen(
        [sys.executable, "-m", "freeda_svc.workers"], env=environment, start_new_session=True
    ) as process:
        eventually((tmp_path / "flag").exists)
        assert ready_worker(settings) is None
        assert worker_fault(settings) == ""
        process.terminate()
        assert process.wait(120) == 0
    assert running_broker_url(settings) is None
