"""An installation that was lost is put back from its backup, in the order of deploy/runbook.md."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from freeda_svc.jobs.database import close_databases, reading
from freeda_svc.jobs.tables import Job
from freeda_svc.settings import Settings
from tests.durability.halts import Halts
from tests.durability.recovery import Recoveries
from tests.durability.services import Servers, servers
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for
from tests.postgresql import BINARIES

pytestmark = pytest.mark.end_to_end


def freeda(settings: Settings, *arguments: str) -> None:
    """Run a command as a person would."""
    environment = {**os.environ, **settings.as_environment()}
    command = [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *arguments]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run_tool(program: str, settings: Settings, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the database of an installation."""
    address = settings.database_url.replace("+psycopg", "")
    subprocess.run([str(BINARIES / program), "--dbname", address, *arguments], check=True)


def back_up(settings: Settings, backup: Path) -> None:
    """Banks and artifacts; the database comes first, and what is done meanwhile is done again later."""
    freeda(settings, "bank", "export", str(backup / "default"), "--bank", "default")
    shutil.copytree(settings.artifacts_folder, backup / "artifacts")


def lose_everything(shared: Servers) -> Servers:
    """An empty database, no bank, no artifact, no message."""
    settings = shared.settings
    freeda(settings, "bank", "drop", "default@1", "--yes")
    shutil.rmtree(settings.artifacts_folder)
    with redis.Redis.from_url(settings.broker_url) as client:
        client.flushall()
    close_databases()
    return replace(shared, settings=settings.model_copy(update={"database_url": shared.database.new_database()}))


def restore(settings: Settings, backup: Path) -> None:
    """Artifacts, banks, then the database that speaks of them."""
    shutil.copytree(backup / "artifacts", settings.artifacts_folder)
    freeda(settings, "bank", "import", str(backup / "default"), "--bank", "default")
    run_tool("pg_restore", settings, "--clean", "--if-exists", "--no-owner", str(backup / "freeda.dump"))
    freeda(settings, "db", "upgrade")


def test_a_lost_installation_goes_on_from_a_backup_that_was_made_while_it_worked(
    homes: Callable[[str], Path], images: list[Path], tmp_path: Path, undisturbed: Outcome, recoveries: Recoveries
) -> None:
    folder, backup = homes("backup"), tmp_path / "backup"
    backup.mkdir()
    halts = Halts(folder / "halts")
    with servers(folder) as shared:
        worker = shared.worker("one", halts)
        worker.start()
        ended = ingest(shared.settings, range(4)), segment(shared.settings, images[:2])
        wait_for(shared.settings, *ended)
        halts.want("generating")
        during = ingest(shared.settings, range(4, 10))
        halts.wait("generating")
        run_tool("pg_dump", shared.settings, "--format", "custom", "--file", str(backup / "freeda.dump"))
        halts.let_go("generating")
        wait_for(shared.settings, during)  # in the bank that is exported next, not in the dump
        back_up(shared.settings, backup)
        afterwards = ingest(shared.settings, range(10, 12))
        wait_for(shared.settings, afterwards)
        worker.stop()

        put_back = lose_everything(shared)
        settings = put_back.settings
        restore(settings, backup)
        with reading(settings) as session:
            assert set(session.scalars(select(Job.id))) == {*ended, during}
        worker = put_back.worker("one", halts)
        with recoveries.until_ended(settings, during, "everything lost, then put back from a backup"):
            worker.start()
        again = ingest(settings, range(10, 12))  # what came after the backup is asked for again
        wait_for(settings, again)
        worker.stop()
        check_done_once(settings, tmp_path / "copy", undisturbed)
        close_databases()
