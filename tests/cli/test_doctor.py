"""Every part is looked at; what is wrong is told with what to do, and nothing is made or changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import update

from freeda_svc.bank.banks import BankName
from freeda_svc.cli import doctor as doctor_package
from freeda_svc.cli.doctor import CHECKS, installed, models, places, services
from freeda_svc.cli.doctor.findings import Check, Finding, Verdict, ok, run_checks
from freeda_svc.cli.doctor.working import look_at_worker
from freeda_svc.errors import InputError
from freeda_svc.jobs import list_jobs
from freeda_svc.jobs.banks import open_banks
from freeda_svc.jobs.claims import claim_next
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.tables import WorkItem, now
from freeda_svc.migrations import HEAD
from freeda_svc.packs import Computing, Runtime, manifest
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers.ability import Ability, begin_ability, write_ability
from freeda_svc.workers.broker_server import start_broker, stop_broker
from freeda_svc.workers.locks import worker_lock

Freeda = Callable[..., Any]


def _look(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    return list(run_checks([Check("part", look)], settings))


def _wrong(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.verdict is Verdict.WRONG]


def test_with_nothing_set_up_nothing_is_wrong_and_nothing_is_made(freeda: Freeda, home: Path) -> None:
    ran = freeda("doctor", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["ok"] is True
    assert {finding["part"] for finding in ran.json["findings"]} == {check.part for check in CHECKS}
    assert not home.exists()


def test_lines_are_for_people(freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(check for check in CHECKS if check.part in {"python", "home", "bank"})
    monkeypatch.setattr(doctor_package, "CHECKS", few)
    lines = freeda("doctor").out.splitlines()
    assert lines[0].split()[:2] == ["ok", "python"]
    assert lines[2].startswith("note  bank")
    assert lines[3].strip() == "-> run `freeda ingest FILE`, or `freeda bank create NAME`"
    assert lines[-1] == "Nothing is wrong."


def test_a_settings_file_that_cannot_be_read_does_not_hide_the_rest(
    freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tuple(check for check in CHECKS if check.part in {"settings", "home"})
    monkeypatch.setattr(doctor_package, "CHECKS", few)
    home.mkdir(mode=0o700)
    (home / "freeda.toml").write_text('pack = "half')
    ran = freeda("doctor", "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    first, second = ran.json["findings"]
    assert (first["part"], first["verdict"]) == ("settings", "wrong")
    assert "not valid TOML" in first["found"]
    assert (second["part"], second["verdict"]) == ("home", "ok")


def test_a_home_that_others_may_enter_is_named_with_what_to_run(
    freeda: Freeda, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_package, "CHECKS", tuple(check for check in CHECKS if check.part == "home"))
    home.mkdir()
    home.chmod(0o755)
    lines = freeda("doctor").out.splitlines()
    assert lines[0].startswith(f"note  home      {home} can be entered by other users of this machine")
    assert lines[1].strip() == f"-> run: chmod 700 {home}"
    home.chmod(0o700)
    assert freeda("doctor").out.splitlines()[0].startswith("ok")


def test_a_check_that_breaks_or_hangs_does_not_hide_the_next() -> None:
    ended = threading.Event()

    def breaks(_settings: Settings) -> Iterator[Finding]:
        yield ok("first", "fine so far")
        raise ZeroDivisionError("no luck")

    def refuses(_settings: Settings) -> Iterator[Finding]:
        raise InputError("a is wrong: do b")
        yield

    def hangs(_settings: Settings) -> Iterator[Finding]:
        ended.wait(120)
        yield ok("third", "late")

    def works(_settings: Settings) -> Iterator[Finding]:
        yield ok("fourth", "fine")

    checks = [Check("first", breaks), Check("second", refuses, "do c"), Check("third", hangs), Check("fourth", works)]
    found = list(run_checks(checks, Settings.model_construct(), patience_seconds=0.2))
    ended.set()
    told = [(finding.part, finding.verdict.value, finding.found, finding.advice) for finding in found]
    assert told == [
        ("first", "ok", "fine so far", ""),
        ("first", "wrong", "ZeroDivisionError: no luck", "report this as a mistake of freeda"),
        ("second", "wrong", "a is wrong: do b", "do c"),
        ("third", "wrong", "no answer within 0.2 s", "see whether its server still answers"),
        ("fourth", "ok", "fine", ""),
    ]


def test_packages_that_are_missing_or_too_old_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["click>=8", "click>=999", "no-such-package>=1", 'psycopg[binary]>=999; extra == "server"']
    monkeypatch.setattr(metadata, "requires", lambda _name: required)
    [found] = _look(installed.look_at_packages, load_settings())
    assert found.verdict is Verdict.WRONG
    assert "click 8." in found.found
    assert "required is >=999" in found.found
    assert "no-such-package is missing, required is >=1" in found.found
    required[1:3] = ['no-such-package>=1; extra == "parquet"', 'no-such-tool>=1; extra == "dev"']
    first, second = _look(installed.look_at_packages, load_settings())
    assert "psycopg" in first.found  # it is here, but too old
    assert (second.verdict, second.found) == (Verdict.NOTE, "not installed: no-such-package (extra parquet)")


def test_a_python_that_is_not_admitted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed.platform, "python_version", lambda: "3.9.1")
    [found] = _look(installed.look_at_python, load_settings())
    assert found.verdict is Verdict.WRONG
    assert found.found.startswith("3.9.1, required is ")


def test_a_variable_that_is_no_setting_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEDA_PACKK", "miniature")
    [found] = _look(installed.look_at_settings, load_settings())
    assert (found.verdict, found.found) == (Verdict.NOTE, "FREEDA_PACKK is no setting")


def test_a_file_with_secrets_that_others_can_read(home: Path) -> None:
    home.mkdir()
    (home / "freeda.toml").write_text('qdrant_api_key = "sesame"\n')
    (home / "freeda.toml").chmod(0o644)
    first, _ = _look(installed.look_at_settings, load_settings())
    assert first.advice == f"run: chmod 600 {home}/freeda.toml"
    (home / "freeda.toml").chmod(0o600)
    assert [finding.verdict for finding in _look(installed.look_at_settings, load_settings())] == [Verdict.OK]


def test_a_home_below_a_file_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    [found] = _look(places.look_at_home, load_settings(home=tmp_path / "file" / "home"))
    assert found.verdict is Verdict.WRONG


def test_a_home_on_a_network_is_pointed_out(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(places, "MOUNTS", mounts)
    first, second = _look(places.look_at_home, load_settings())
    assert (first.verdict, second.verdict) == (Verdict.OK, Verdict.NOTE)
    assert "nfs4" in second.found


@pytest.mark.parametrize(("free", "verdict"), [(1 << 20, "wrong"), (1 << 30, "note"), (1 << 40, "ok")])
def test_a_full_disk_is_reported_in_time(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    usage = shutil.disk_usage(home.parent)._replace(total=1 << 41, used=0, free=free)
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _path: usage)
    assert {finding.verdict.value for finding in _look(places.look_at_disk, load_settings())} == {verdict}


def test_a_database_of_a_newer_version(home: Path) -> None:
    settings = load_settings()
    list_jobs(settings)
    [found] = _look(services.look_at_database, settings)
    assert found.verdict is Verdict.OK
    connection = sqlite3.connect(settings.database_file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    [found] = _look(services.look_at_database, settings)
    assert found.verdict is Verdict.WRONG
    assert "9999" in found.found


def test_a_file_that_is_no_database_is_reported(home: Path) -> None:
    settings = load_settings()
    prepare_home(settings)
    settings.database_file.write_bytes(b"something else entirely" * 99)
    [found] = _look(services.look_at_database, settings)
    assert found.verdict is Verdict.WRONG
    assert "file is not a database" in found.found


def test_servers_that_do_not_answer_are_reported_without_passwords(home: Path) -> None:
    settings = load_settings(
        broker_url="redis://:sesame@127.0.0.1:1/0",
        database_url="postgresql+psycopg://anna:sesame@127.0.0.1:1/freeda",
        qdrant_url="http://127.0.0.1:1",
        qdrant_api_key="sesame",
    )
    found = list(run_checks([check for check in CHECKS if check.part in {"database", "broker", "bank"}], settings))
    assert [(finding.part, finding.verdict) for finding in found] == [
        ("database", Verdict.WRONG),
        ("broker", Verdict.WRONG),
        ("bank", Verdict.WRONG),
    ]
    assert all("sesame" not in finding.found for finding in found)
    [clock, _] = _look(services.look_at_clock, settings)
    assert (clock.verdict, clock.found) == (Verdict.NOTE, "the database's cannot be compared")


@pytest.mark.parametrize(("seconds", "verdict"), [(0, "ok"), (-90, "wrong"), (90, "wrong")])
def test_clocks_that_disagree_are_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, verdict: str
) -> None:
    monkeypatch.setattr(services, "time_of_broker", lambda _: datetime.now(UTC) + timedelta(seconds=seconds))
    [found] = _look(services.look_at_clock, load_settings(broker_url="redis://127.0.0.1:1/0"))
    assert found.verdict.value == verdict
    if seconds:
        assert f"90.0 s {'ahead' if seconds > 0 else 'behind'}" in found.found


def test_the_models_are_looked_at_without_being_loaded(
    home: Path, tiny_pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LARGEST_CHECKED_BYTES", 1000)  # so that weights count as large
    pack = tmp_path / "pack"
    shutil.copytree(tiny_pack_folder, pack)
    settings = load_settings(pack=str(pack))
    assert [finding.verdict for finding in _look(models.look_at_pack, settings)] == [Verdict.OK]
    weights = next((pack / "generator").rglob("*.safetensors"))
    whole = weights.read_bytes()
    for content, reason in ((whole[:-9], "is cut off or broken"), (None, "is missing")):
        weights.unlink()
        if content is not None:
            weights.write_bytes(content)
        [found] = _look(models.look_at_pack, settings)
        assert found.verdict is Verdict.WRONG
        assert reason in found.found
        assert weights.name in found.found
        assert found.advice
    weights.write_bytes(whole)
    small = next((pack / "generator").rglob("*config.json"))
    small.write_text("{}")
    assert "is not as listed" in _look(models.look_at_pack, settings)[0].found


def test_a_bank_of_another_pack(home: Path) -> None:
    settings = load_settings()
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    banks = open_banks(settings)

    banks.create(BankName("default", 1), pack.fingerprint, 4, 3)
    banks.create(BankName("other", 1), "0123456789abcdef", 4, 3)
    [found] = _look(models.look_at_bank, settings)
    assert (found.verdict, found.found) == (Verdict.OK, "default@1, 0 prototypes; 1 other version of banks, searched")
    first, second = _look(models.look_at_bank, load_settings(bank="other"))
    assert (first.verdict, second.verdict) == (Verdict.OK, Verdict.WRONG)
    assert "0123456789abcdef" in second.found


def test_a_device_that_is_not_there(home: Path) -> None:
    found = _look(models.look_at_device, load_settings(device="cuda:77"))
    assert [finding.verdict for finding in found] == [Verdict.WRONG]


@pytest.mark.parametrize(
    ("device", "said", "verdict", "found"),
    [
        ("auto", Ability(0, able=True, device="cuda:1, A card; generator in bfloat16"), "ok", "cuda:1, A card"),
        ("cuda:1", Ability(0, able=True, device="cuda:1, A card; generator in bfloat16"), "ok", "cuda:1, A card"),
        ("cuda:2", Ability(0, able=True, device="cuda:1, A card; generator in bfloat16"), "note", "not cuda:2"),
        ("auto", Ability(0, able=False, device="cuda:1, A card"), "note", "takes no items now"),
        ("auto", Ability(0), "note", "has not tried it yet"),
    ],
)
def test_a_worker_that_runs_is_asked_about_its_device_without_importing_torch(
    home: Path, device: str, said: Ability, verdict: str, found: str
) -> None:
    settings = load_settings(home=home)
    code = (
        "import sys\n"
        "from freeda_svc.cli.doctor.models import look_at_device\n"
        "from freeda_svc.settings import load_settings\n"
        f"[found] = look_at_device(load_settings(home={str(home)!r}, device={device!r}))\n"
        "print(found.verdict, 'torch' in sys.modules, found.found)"
    )
    with worker_lock(settings):
        begin_ability(settings, os.getpid())
        write_ability(settings, replace(said, worker=os.getpid()))
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith(f"{verdict} False ")
    assert found in printed


@pytest.mark.parametrize(
    ("precision", "runtime", "rounds", "expected"),
    [
        ("float32", "torch", True, (Verdict.OK, "FREEDA_ENCODER_RUNTIME=openvino")),
        ("bfloat16", "openvino", True, None),
        ("float32", "torch", False, None),
        ("bfloat16", "torch", False, (Verdict.NOTE, "no instructions for bfloat16, so bfloat16 is slower")),
    ],
)
def test_what_the_processor_could_do_faster(
    precision: str, runtime: Runtime, expected: tuple[Verdict, str] | None, *, rounds: bool
) -> None:
    found = list(models.precision_findings(Computing("cpu", precision, precision, runtime), rounds=rounds))
    assert [(finding.verdict, expected[1] in finding.found) for finding in found if expected] == (
        [(expected[0], True)] if expected else []
    )
    assert bool(found) is (expected is not None)
    assert not list(models.precision_findings(Computing("cuda", precision, precision), rounds=rounds))


def test_items_that_nobody_works_on(freeda: Freeda, home: Path, inputs: Path) -> None:
    freeda("ingest", inputs / "captions.txt", "--limit", 9)
    settings = load_settings()
    assert claim_next(settings, "worker-1") is not None
    [waiting] = _look(look_at_worker, settings)
    told = "no worker runs: 1 item waiting, 1 item in the hands of a worker that is gone"
    assert (waiting.verdict, waiting.found) == (Verdict.WRONG, told)
    assert waiting.advice.startswith("run `freeda up`")
    with writing(settings) as session:
        session.execute(update(WorkItem).values(lease_until=now() - timedelta(hours=1)))
    with worker_lock(settings):
        *_, silent = _look(look_at_worker, settings)
    assert silent.found == "in the hands of workers that fell silent: 1 item"


def test_processes_that_hold_locks_are_reported(home: Path) -> None:

    settings = load_settings()
    prepare_home(settings)
    assert [finding.verdict for finding in _look(look_at_worker, settings)] == [Verdict.OK]
    banks = open_banks(settings)
    banks.create(BankName("default", 1), "0123456789abcdef", 4, 3)
    store = banks.open(BankName("default", 1))
    _, held = _look(look_at_worker, settings)
    store.close()
    assert held.found.startswith("the bank default@1 is in use by process ")
    with worker_lock(settings):
        [found] = _look(look_at_worker, settings)
    assert (found.verdict, "takes no items yet" in found.found) == (Verdict.NOTE, True)


@pytest.mark.end_to_end
def test_servers_that_answer_are_looked_into(home: Path, tmp_path: Path, postgres_url: str) -> None:
    other = load_settings(home=tmp_path / "other")
    prepare_home(other)
    url = start_broker(other)
    try:
        settings = load_settings(broker_url=url, database_url=postgres_url)
        [database] = _look(services.look_at_database, settings)
        assert (database.verdict, database.found) == (Verdict.OK, f"postgresql, revision {HEAD}")
        broker, *_ = _look(services.look_at_broker, settings)
        assert (broker.verdict, "version " in broker.found) == (Verdict.OK, True)
        assert url.split("?")[0] in broker.found
        assert [clock.verdict for clock in _look(services.look_at_clock, settings)] == [Verdict.OK, Verdict.OK]
        with redis.Redis.from_url(url) as client:
            client.config_set("maxmemory", "1gb")
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("appendonly", "no")
        _, forgets, drops = _look(services.look_at_broker, settings)
        assert (forgets.verdict, drops.verdict) == (Verdict.NOTE, Verdict.WRONG)
        assert drops.advice == "set maxmemory-policy noeviction"
    finally:
        stop_broker(other)
