"""How much of broker and database an item takes: commands, bytes, rows, transactions."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import text

from benchmarks.queue_load.installation import Installation
from freeda_svc.jobs.database import reading
from freeda_svc.workers.broker import broker_client

DISK, LOG, TRANSACTIONS, ROWS = "database_bytes", "database_log_bytes", "transactions", "rows_written"
COMMANDS, TRAFFIC = "broker_commands", "broker_bytes"

_SERVER = """
SELECT pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'::pg_lsn,
       xact_commit, tup_inserted + tup_updated FROM pg_stat_database WHERE datname = current_database()
"""


def volume(installation: Installation) -> dict[str, float]:
    """Read the counters of broker and database; their differences are what happened between."""
    with broker_client(installation.broker_url()) as client:
        told = client.info("stats")
    broker = {
        COMMANDS: float(told["total_commands_processed"]),
        TRAFFIC: float(told["total_net_input_bytes"] + told["total_net_output_bytes"]),
    }
    return {**broker, **_database(installation)}


def an_item(before: Mapping[str, float], after: Mapping[str, float], items: int) -> dict[str, float]:
    """Divide the difference of two readings by how many items were done between them."""
    return {name: (after[name] - before[name]) / items for name in after}


def _database(installation: Installation) -> dict[str, float]:
    settings = installation.settings
    if settings.embedded_database:
        return {DISK: float(_size(settings.database_file))}
    with reading(settings) as session:
        disk, log, transactions, rows = session.execute(text(_SERVER)).one()
    return {DISK: float(disk), LOG: float(log), TRANSACTIONS: float(transactions), ROWS: float(rows)}


def _size(database: Path) -> int:
    """Without the write-ahead log, which does not grow for ever."""
    return database.stat().st_size
