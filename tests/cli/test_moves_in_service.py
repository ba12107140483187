"""Exports and imports while `freeda up` runs: jobs of the worker that holds the bank, with real processes."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import BankName
from freeda_svc.bank.moving import verify_archive
from freeda_svc.cli.bank import moving as moving_commands
from freeda_svc.jobs import cancel_job, follow_job, job_summary, list_jobs
from freeda_svc.jobs.banks import open_banks
from freeda_svc.settings import Settings, load_settings
from freeda_svc.whole_files import ASIDE
from freeda_svc.workers import background_stack
from freeda_svc.workers.backoff import wait_until
from tests.described_pack import write_described_pack
from tests.made_prototypes import make_prototype
from tests.small_disk import fill, mounted_disk
from tests.workers.conftest import UNTRIED

pytestmark = pytest.mark.end_to_end

Freeda = Callable[..., Any]
COUNT = 10
PACK = "pack-of-the-tests"
SECONDS = 120.0

HALTS_AT_FOUR = f"""{UNTRIED}
import functools, os, time
from pathlib import Path
import freeda_svc.workers.performing as performing
from freeda_svc.bank import moving
from freeda_svc.bank.moving import importing

moving.export_bank = functools.partial(moving.export_bank, rows_a_part=2)
importing._ROWS_AN_ADDITION = 2
performing.NOTE_SECONDS = 0.0
move = performing.perform_move

def halting(held, wanted, on_progress, job):
    def tell(done, total):
        on_progress(done, total)
        if done >= 4 and Path({{halt!r}}).exists():
            Path({{process!r}}).write_text(str(os.getpid()))
        while done >= 4 and Path({{halt!r}}).exists():
            time.sleep(0.05)
            on_progress(done, total)
    return move(held, wanted, tell, job)

performing.perform_move = halting
"""


@dataclass
class Service:
    """A home whose worker moves two prototypes at a time and halts after four, for as long as somebody says so."""

    settings: Settings
    halt: Path
    process: Path

    @contextmanager
    def halting(self) -> Iterator[None]:
        """Have moves halt after four prototypes as long as the block lasts."""
        self.process.unlink(missing_ok=True)
        self.halt.touch()
        try:
            yield
        finally:
            self.halt.unlink(missing_ok=True)

    def wait_for_halt(self) -> int:
        """Wait for a move that has halted; gives the worker's process that does it."""
        assert wait_until(lambda: self.process.exists() and self.process.read_text() != "", SECONDS)
        return int(self.process.read_text())

    def job_of(self, what: str) -> str:
        """The newest job whose source contains something."""
        return next(job.id for job in list_jobs(self.settings) if what in job.source)

    def end_of(self, job_id: str) -> str:
        """Wait for the end of a job; gives its state."""
        *_, last = follow_job(self.settings, job_id, every_seconds=0.05)
        return last.state


def make_bank(settings: Settings, name: str, count: int = COUNT) -> None:
    generator = np.random.default_rng(5)
    with closing(open_banks(settings)) as banks:
        bank = BankName.parse(f"{name}@1")
        banks.create(bank, PACK, 5, 7)
        with closing(banks.open(bank)) as store:
            store.add(
                [
                    make_prototype(
                        "boat",
                        caption_id=f"{i:016x}",
                        key=generator.normal(size=5).astype(np.float32),
                        vector=generator.normal(size=7).astype(np.float32),
                        pack=PACK,
                    )
                    for i in range(count)
                ]
            )


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    halt, process = folder / "halt", folder / "process"
    (folder / "first").mkdir()
    (folder / "first" / "sitecustomize.py").write_text(HALTS_AT_FOUR.format(halt=str(halt), process=str(process)))
    settings = load_settings(
        home=folder / "home",
        database_url="",
        broker_url="",
        pack=write_described_pack(folder / "pack"),
        reconcile_seconds=0.3,
        lease_seconds=5,
    )
    for name in ("boats", "gone"):
        make_bank(settings, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder / "first"), os.environ.get("PYTHONPATH")))))
        with background_stack(settings):
            patch.undo()
            yield Service(settings, halt, process)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service")) as served:
        yield served


@pytest.fixture
def run(freeda: Freeda, service: Service) -> Freeda:
    """Run a command on the home of the service."""
    return lambda *arguments: freeda("--home", service.settings.home, *arguments)


@pytest.fixture
def begin(start: Callable[..., "subprocess.Popen[str]"], service: Service) -> Callable[..., "subprocess.Popen[str]"]:
    """Begin a command as a process."""
    return lambda *arguments: start(service.settings.home, *arguments)


def ended(process: "subprocess.Popen[str]") -> tuple[int | None, str, str]:
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err


def left_aside(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.match(ASIDE)]


def test_both_do_what_they_do_without_a_service(run: Freeda, service: Service, tmp_path: Path) -> None:
    exported = run("bank", "export", tmp_path / "a", "--bank", "boats", "--quiet")
    assert (exported.code, exported.out) == (0, f"{COUNT} prototypes of boats@1 in {tmp_path / 'a'} (new)\n")
    assert exported.err == ""
    assert verify_archive(tmp_path / "a").prototypes == COUNT
    imported = run("bank", "import", tmp_path / "a", "--bank", "copy", "--json", "--quiet").json
    pictures = {"pictures_written": 0, "pictures_present": 0, "pictures_kept": 0}
    assert imported == {"bank": "copy@1", "prototypes": COUNT, "added": COUNT, **pictures}
    assert run("bank", "stats", "--bank", "copy", "--json").json["prototypes"] == COUNT
    kinds = {(job.kind, job.state, job.progress.units.name) for job in list_jobs(service.settings)}
    assert {("export", "done", "prototypes"), ("import", "done", "prototypes")} <= kinds


def test_mistakes_are_reported_before_a_job_is_accepted(run: Freeda, service: Service, tmp_path: Path) -> None:
    run("bank", "export", tmp_path / "a", "--bank", "boats", "--quiet")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    (tmp_path / "file").touch()
    before = len(list_jobs(service.settings))
    for arguments, told in (
        (("export", tmp_path / "b", "--bank", "none"), "there is no bank none"),
        (("export", tmp_path / "a", "--bank", "boats"), "finished archive"),
        (("export", tmp_path / "full", "--bank", "boats"), "not empty"),
        (("export", tmp_path / "file" / "b", "--bank", "boats"), "it is no folder"),
        (("export", service.settings.banks_folder / "b", "--bank", "boats"), "lies among the banks"),
        (("import", tmp_path / "full", "--bank", "x"), "is no archive"),
    ):
        ran = run("bank", *arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("Error: ")
        assert told in ran.err
        assert ran.err.count("\n") == 1
    assert len(list_jobs(service.settings)) == before
    assert not (tmp_path / "b").exists()


def test_a_service_answers_while_it_exports_and_the_same_command_follows_the_same_job(
    run: Freeda, begin: Callable[..., "subprocess.Popen[str]"], service: Service, tmp_path: Path
) -> None:
    command = ("bank", "export", tmp_path / "a", "--bank", "boats")
    with service.halting():
        job = run(*command, "--no-wait", "--json").json["job"]
        service.wait_for_halt()
        second = begin(*command)
        assert second.stderr is not None
        assert second.stderr.readline() == f"export: 4 of {COUNT} prototypes\n"
        units = job_summary(service.settings, job).progress.units
        assert (units.done, units.total, units.name) == (4, COUNT, "prototypes")
        assert run("bank", "nouns", "--bank", "boats", "--json").json == {"boat": COUNT}
        refused = run("bank", "drop", "boats@1", "--yes")
        assert refused.code == 1
        assert f"end it with `freeda jobs cancel {job}`" in refused.err
        assert run(*command, "--no-wait").out == f"{job}\n"
    code, out, _ = ended(second)
    assert (code, out) == (0, f"{COUNT} prototypes of boats@1 in {tmp_path / 'a'} (new)\n")
    assert run("jobs", "watch", job).out == f"job {job} is done\n"


def test_a_cancelled_export_leaves_no_half_file_and_is_continued(
    run: Freeda, begin: Callable[..., "subprocess.Popen[str]"], service: Service, tmp_path: Path
) -> None:
    command = ("bank", "export", tmp_path / "a", "--bank", "boats")
    with service.halting():
        waiting = begin(*command)
        service.wait_for_halt()
        assert run("jobs", "cancel", service.job_of(str(tmp_path))).out == "1 item cancelled\n"
        code, out, err = ended(waiting)
        assert (code, out) == (1, "")
        assert "was cancelled; the same command continues where it stopped.\n" in err
    assert not left_aside(tmp_path)
    assert run("bank", "import", tmp_path / "a", "--bank", "half").code == 1
    assert run(*command, "--json").json["start"] == "continued"
    assert verify_archive(tmp_path / "a").prototypes == COUNT


def test_a_killed_export_is_continued_by_the_next_process(run: Freeda, service: Service, tmp_path: Path) -> None:
    with service.halting():
        job = run("bank", "export", tmp_path / "a", "--bank", "boats", "--no-wait").out.strip()
        os.kill(service.wait_for_halt(), signal.SIGKILL)
    assert service.end_of(job) == "done"
    [item] = run("jobs", "show", job, "--json").json["items"]
    assert (item["attempts"], item["result"]["start"]) == (2, "continued")
    assert verify_archive(tmp_path / "a").prototypes == COUNT
    assert not left_aside(tmp_path)


@pytest.mark.parametrize("kills", [True, False])
def test_an_import_that_is_killed_or_cancelled_is_completed(
    run: Freeda, service: Service, tmp_path: Path, kills: bool
) -> None:
    named = f"new-{kills}".lower()
    run("bank", "export", tmp_path / "a", "--bank", "boats", "--quiet")
    command = ("bank", "import", tmp_path / "a", "--bank", named)
    with service.halting():
        job = run(*command, "--no-wait").out.strip()
        process = service.wait_for_halt()
        assert run("bank", "drop", f"{named}@1", "--yes").code == 1
        if kills:
            os.kill(process, signal.SIGKILL)
        else:
            cancel_job(service.settings, job)
            assert service.end_of(job) == "cancelled"
    assert service.end_of(job) == ("done" if kills else "cancelled")
    again = run(*command, "--json").json
    assert (again["prototypes"], again["added"]) == (COUNT, 0 if kills else COUNT - 4)
    assert run("bank", "stats", "--bank", named, "--json").json["prototypes"] == COUNT


def test_a_full_disk_fails_the_export_and_not_the_worker(run: Freeda, tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", 1) as disk:
        ballast = fill(disk, 40_000)
        command = ("bank", "export", disk / "a", "--bank", "boats")
        full = run(*command, "--quiet")
        assert (full.code, full.out) == (1, "")
        assert full.err.startswith(f"Error: the archive {disk / 'a'} cannot be written (")
        assert "No space left on device" in full.err
        assert not left_aside(disk)
        ballast.unlink()
        assert run(*command, "--json").json["start"] == "continued"


def test_an_import_that_fails_leaves_no_new_bank_behind(run: Freeda, tmp_path: Path) -> None:
    run("bank", "export", tmp_path / "a", "--bank", "boats", "--quiet")
    path = tmp_path / "a" / "prototypes-00000.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    refused = run("bank", "import", tmp_path / "a", "--bank", "damaged", "--quiet")
    assert refused.code == 1
    assert "sha256" in refused.err
    assert "damaged@1" not in [bank["bank"] for bank in run("bank", "list", "--json").json]


def test_a_bank_that_is_dropped_meanwhile_is_reported(run: Freeda, service: Service, tmp_path: Path) -> None:
    with service.halting():
        first = run("bank", "export", tmp_path / "a", "--bank", "boats", "--no-wait").out.strip()
        service.wait_for_halt()
        waiting = run("bank", "export", tmp_path / "b", "--bank", "gone", "--no-wait").out.strip()
        assert run("bank", "drop", "gone@1", "--yes").code == 0
    assert service.end_of(first) == "done"
    assert service.end_of(waiting) == "failed"
    assert "there is no bank gone" in run("jobs", "errors", waiting).out


def test_a_command_goes_on_itself_when_the_service_stops(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    with serving(tmp_path) as service, service.halting():
        waiting = start(service.settings.home, "bank", "export", tmp_path / "a", "--bank", "boats")
        service.wait_for_halt()
        queued = start(service.settings.home, "bank", "export", tmp_path / "b", "--bank", "gone", "--no-wait")
        later = ended(queued)[1].strip()
        os.kill(int(service.settings.worker_lock.read_text()), signal.SIGKILL)
        code, out, err = ended(waiting)
    assert (code, out) == (0, f"{COUNT} prototypes of boats@1 in {tmp_path / 'a'} (continued)\n")
    assert "The worker has stopped: job " in err
    assert verify_archive(tmp_path / "a").prototypes == COUNT
    assert job_summary(service.settings, later).state == "queued"  # it waits for the next service


def test_without_a_service_a_job_waits_for_one(freeda: Freeda, home: Path, tmp_path: Path) -> None:
    settings = load_settings(home=home)
    make_bank(settings, "boats", 3)
    ran = freeda("bank", "export", tmp_path / "a", "--bank", "boats", "--no-wait")
    assert (ran.code, ran.err) == (
        0,
        "No worker is running on this home: start one with `freeda up` in another terminal.\n",
    )
    job = job_summary(settings, ran.out.strip())
    assert (job.kind, job.state, job.source) == ("export", "queued", f"boats@1 to {tmp_path / 'a'}")
    assert job.progress.units.total == 3
    assert freeda("bank", "export", tmp_path / "b", "--bank", "boats").code == 0  # itself
    assert [found.id for found in list_jobs(settings)] == [job.id]
    assert freeda("jobs", "cancel", job.id).code == 0


def test_with_a_server_the_command_moves_banks_itself(
    freeda: Freeda, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_QDRANT_URL", "http://127.0.0.1:9")
    ran = freeda("bank", "export", tmp_path / "a", "--no-wait")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "leave out --no-wait" in ran.err
    moved: list[object] = []
    monkeypatch.setattr(moving_commands, "move_here", lambda _settings, move, **_named: moved.append(move))
    freeda("bank", "export", tmp_path / "a")
    assert len(moved) == 1
