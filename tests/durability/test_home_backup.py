"""A home is lost, and goes on from a backup that was made while its worker worked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Timer

from sqlalchemy import select

from freeda_svc.jobs.database import close_databases, reading
from freeda_svc.jobs.states import ItemState
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.settings import load_settings
from freeda_svc.workers.backups.restoring import restore_home
from freeda_svc.workers.backups.saving import back_up_home
from freeda_svc.workers.broker_server import stop_broker
from tests.durability.halts import Halts
from tests.durability.recovery import Recoveries
from tests.durability.services import Worker, one_machine
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for


def test_a_lost_home_goes_on_from_a_backup_that_was_made_while_it_worked(
    homes: Callable[[str], Path], images: list[Path], tmp_path: Path, undisturbed: Outcome, recoveries: Recoveries
) -> None:
    folder = homes("home-backup")
    halts = Halts(folder / "halts")
    with one_machine(folder, halts) as worker:
        settings = worker.settings
        ended = ingest(settings, range(4)), segment(settings, images[:2])
        wait_for(settings, *ended)
        halts.want("generating")
        during = ingest(settings, range(4, 10))
        halts.wait("generating")  # its item is in hand when the database is copied, its bank is copied afterwards
        waiting = Timer(1.0, halts.let_go, ("generating",))
        waiting.start()
        saved = back_up_home(settings, folder / "backup", lambda _done, _total: None)
        waiting.join()
        assert saved.jobs == 3
        wait_for(settings, during)
    close_databases()
    shutil.rmtree(settings.home)

    moved = load_settings(**{**settings.model_dump(), "home": folder / "elsewhere"})
    restore_home(moved, folder / "backup", lambda _done, _total: None)
    with reading(moved) as session:
        assert set(session.scalars(select(Job.id))) == {*ended, during}
        assert session.scalars(select(WorkItem.id).where(WorkItem.state != ItemState.DONE)).all()
    put_back = Worker(moved, halts)
    try:
        with recoveries.until_ended(moved, during, "a lost home, put back from a backup"):
            put_back.start()
        check_done_once(moved, tmp_path / "copy", undisturbed)
    finally:
        put_back.stop()
        stop_broker(moved)
    close_databases()
