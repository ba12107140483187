import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text, update
from sqlalchemy.engine import make_url

import freeda_svc.jobs.key_table  # noqa: F401 (its table belongs to the metadata, too)
from freeda_svc import database_connections as database
from freeda_svc import migrations
from freeda_svc.database_connections import close_databases, current_revision, database_engine
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.jobs.database import open_database, reading, writing
from freeda_svc.jobs.tables import Attempt, Base, Event, Job, WorkItem
from freeda_svc.settings import Settings, load_settings
from tests.postgresql import PostgresServer


def _job(job_id: str = "0" * 12) -> Job:
    return Job(id=job_id, kind="ingest", state="queued", source="", pack="", fingerprint="", parameters={})


both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@both
def test_models_and_migrations_agree(settings: Settings) -> None:
    with open_database(settings).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_head_is_the_newest_revision() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_heads() == [migrations.HEAD]


@both
def test_every_revision_upgrades_and_downgrades(settings: Settings) -> None:
    migrations.upgrade(settings)
    migrations.upgrade(settings)
    assert migrations.check_current(settings) == migrations.HEAD
    migrations.downgrade(settings, "base")
    engine = database_engine(settings)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert current_revision(engine) is None
    with pytest.raises(UnavailableError, match="revision none"):
        migrations.check_current(settings)
    migrations.upgrade(settings)
    assert migrations.check_current(settings) == migrations.HEAD


@both
def test_what_an_earlier_version_accepted_is_kept_on_the_way_up_and_down(settings: Settings) -> None:
    migrations.upgrade(settings)
    migrations.downgrade(settings, "0001")
    moment = "'2026-01-01 00:00:00.000000'"
    with database_engine(settings).begin() as connection:
        for job_id, kind in (("a", "ingest"), ("b", "segment")):
            connection.execute(
                text(
                    "INSERT INTO jobs (id, kind, state, source, pack, fingerprint, parameters, created_at, updated_at) "
                    f"VALUES ('{job_id}', '{kind}', 'running', '', '', '', '{{}}', {moment}, {moment})"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO work_items (job_id, number, state, input, error, attempts, failures, worker, "
                    "created_at, updated_at) "
                    f"VALUES ('{job_id}', 1, 'queued', '{{}}', '', 1, 0, '', {moment}, {moment})"
                )
            )
        connection.execute(
            text(
                "INSERT INTO attempts (item_id, number, worker, outcome, error, started_at) "
                f"VALUES (1, 1, 'w', 'lost', '', {moment})"
            )
        )
    migrations.upgrade(settings)
    with reading(settings) as session:
        items = session.scalars(select(WorkItem).order_by(WorkItem.id)).all()
        assert [(item.job_id, item.kind, item.priority) for item in items] == [("a", "ingest", 0), ("b", "segment", 0)]
        assert [job.idempotency_key for job in session.scalars(select(Job))] == [None, None]
        assert session.scalars(select(Attempt.outcome)).one() == "lost"
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id == "a").values(state="partly failed"))
    migrations.downgrade(settings, "0001")
    with database_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT id, state FROM jobs ORDER BY id")).all() == [
            ("a", "failed"),
            ("b", "running"),
        ]
        assert connection.execute(text("SELECT count(*) FROM attempts")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM work_items")).scalar() == 2
    migrations.upgrade(settings)


@both
def test_two_threads_may_open_a_new_database_at_once(settings: Settings) -> None:
    failures: list[BaseException] = []

    def use() -> None:
        try:
            with reading(settings) as session:
                session.get(Job, "x")
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_sqlite_keeps_what_was_accepted(settings: Settings) -> None:
    with reading(settings) as session:
        pragma = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@both
def test_a_transaction_that_raises_leaves_nothing(settings: Settings) -> None:
    def add_and_raise() -> None:
        with writing(settings) as session:
            session.add(_job())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_raise()
    with reading(settings) as session:
        assert session.get(Job, "0" * 12) is None


@both
def test_items_go_with_their_job(settings: Settings) -> None:
    with writing(settings) as session:
        session.add(_job())
        session.flush()
        session.add(WorkItem(job_id="0" * 12, number=1, kind="ingest", state="queued", input={}))
        session.flush()
        session.add(Attempt(item_id=1, number=1, worker="", outcome="running"))
        session.add(Event(job_id="0" * 12, kind="submitted"))
    with writing(settings) as session:
        session.delete(session.get_one(Job, "0" * 12))
    with reading(settings) as session:
        assert session.get(WorkItem, 1) is None
        assert session.get(Attempt, 1) is None
        assert session.get(Event, 1) is None


def test_a_file_that_is_no_database_is_reported_in_one_line(settings: Settings) -> None:
    settings.home.mkdir()
    settings.database_file.write_text("certainly not a database" * 100)
    with pytest.raises(UnavailableError, match="does not answer") as caught, reading(settings):
        pass
    assert "\n" not in str(caught.value)


def test_a_locked_database_is_reported_in_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(settings)
    other = sqlite3.connect(settings.database_file, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
        database.close_databases()
        with pytest.raises(UnavailableError, match="locked"), writing(settings) as session:
            session.get(Job, "x")
    finally:
        other.close()
        database.close_databases()


@pytest.mark.parametrize(
    "name", ["run?a", "h%41b", "h%b", "a#b", "a b", "[x]", "\u00e9\u8239", "a:b@c", "file:x", "a&b=c;d"]
)
def test_a_home_of_any_name_has_its_database_inside(tmp_path: Path, name: str) -> None:
    settings = load_settings(home=tmp_path / name)
    with writing(settings) as session:
        session.add(_job())
    close_databases()
    with reading(settings) as session:
        assert session.get(Job, "0" * 12) is not None
    assert settings.database_file.is_file()
    assert [place.name for place in tmp_path.iterdir()] == [name]
    named = load_settings(home=tmp_path / "other", database_url=f"sqlite:///{quote(str(settings.database_file))}")
    with reading(named) as session:
        assert session.get(Job, "0" * 12) is not None
    close_databases()


def test_a_driver_that_is_not_installed_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path, database_url="postgresql://host/jobs")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"^database_url needs psycopg: pip install 'freeda-svc\[server\]'$"):
        open_database(settings)


def test_a_server_that_is_not_there_is_reported_in_one_line_without_password(tmp_path: Path) -> None:
    address = "postgresql+psycopg://me:secret@127.0.0.1:9/x?password=secret"
    settings = load_settings(home=tmp_path, database_url=address)
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        open_database(settings)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_of_ones_own_is_not_changed_unasked(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'own.sqlite'}")
    with pytest.raises(UnavailableError, match="freeda db upgrade"):
        open_database(settings)
    migrations.upgrade(settings)
    assert current_revision(open_database(settings)) == migrations.HEAD


def test_a_database_whose_files_were_removed_is_made_again(settings: Settings) -> None:
    with writing(settings) as session:
        session.add(_job())
    for file in settings.home.glob("jobs.sqlite*"):
        file.unlink()
    with reading(settings) as session:
        assert session.get(Job, "0" * 12) is None


def test_connections_are_kept_and_can_be_closed(settings: Settings) -> None:
    def open_files() -> int:
        return sum(str(settings.database_file) in str(link.resolve()) for link in Path("/proc/self/fd").iterdir())

    for _ in range(3):
        with reading(settings) as session:
            session.get(Job, "x")
    assert 1 <= open_files() <= 3  # one connection: the file, its journal, its index
    database.close_databases()
    assert open_files() == 0


def test_no_more_engines_are_kept_than_a_process_needs(tmp_path: Path) -> None:
    homes = [load_settings(home=tmp_path / str(number)) for number in range(database.ENGINES_KEPT + 3)]
    engines = [database_engine(home) for home in homes]
    kept = range(3, len(homes))
    assert [database_engine(homes[number]) is engines[number] for number in kept] == [True] * database.ENGINES_KEPT
    assert database_engine(homes[0]) is not engines[0]


@pytest.mark.slow
def test_a_server_that_restarts_is_found_again(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        settings = load_settings(home=tmp_path, database_url=server.new_database())
        migrations.upgrade(settings)
        with writing(settings) as session:
            session.add(_job())
        server.stop(signal.SIGQUIT)
        with pytest.raises(UnavailableError, match="does not answer") as caught, reading(settings) as session:
            session.get(Job, "0" * 12)
        assert str(make_url(settings.database_url).password) not in str(caught.value)
        server.start()
        with reading(settings) as session:
            assert session.get(Job, "0" * 12) is not None
    finally:
        database.close_databases()
        server.remove()


@pytest.mark.slow
def test_jobs_import_neither_celery_nor_model_libraries() -> None:
    code = (
        "import sys, freeda_svc.jobs, freeda_svc.settings, freeda_svc.migrations\n"
        "import freeda_svc.workers.messages, freeda_svc.workers.queries, freeda_svc.workers.supervisor\n"
        "heavy = ('celery', 'kombu', 'torch', 'spacy', 'skimage', 'PIL', 'qdrant_edge', 'alembic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
