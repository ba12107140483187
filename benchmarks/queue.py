"""The service around an item that does nothing, beside Celery around a task that does nothing, and recovery from kills.

Workers, broker and databases are real, all on this machine, with default settings but for one caption an item; only
what is done for an item is replaced by nothing (`queue_load.idle_worker`). Processor time is that of worker, broker,
database server and client together, from asking for the items until no message of theirs is left. Rates are by the
times that workers write into the database.
``python -m benchmarks.queue --items 200`` tries everything and writes nothing.
"""

import tempfile
from pathlib import Path

import click

from benchmarks.queue_load.bare_celery import NAME as BARE
from benchmarks.queue_load.flow import Flow, bare_celery, beginning_of_a_long_job, whole_job
from benchmarks.queue_load.installation import Installation, a_broker, on_postgresql, on_sqlite
from benchmarks.queue_load.recovery import seconds_after_worker_gone, seconds_after_working_process_killed
from benchmarks.queue_load.volume import an_item, volume
from benchmarks.results import Result
from freeda_svc.database_connections import database_address
from tests.durability.recovery import recovery_seconds_worker_killed

ITEMS = 2000
WAITING = 100_000
SECOND = "second"


def _bare(folder: Path, items: int) -> tuple[Flow, list[Result]]:
    with a_broker(folder / "bare") as broker_url:
        flow = bare_celery(broker_url, items)
    click.echo(f"Celery alone: {flow}")
    return flow, [
        Result("bare_celery_cpu_ms_per_item", flow.total_ms, "ms"),
        Result("bare_celery_items_per_second", flow.items_per_second, "items/s"),
    ]


def _compared(flow: Flow, bare: Flow, suffix: str) -> list[Result]:
    cost, rate = flow.total_ms, flow.items_per_second
    return [
        Result(f"cpu_ms_per_item{suffix}", cost, "ms", BARE, cost / bare.total_ms),
        *(Result(f"cpu_ms_per_item{suffix}_{part}", spent, "ms") for part, spent in flow.processor_ms.items()),
        Result(f"items_per_second{suffix}", rate, "items/s", BARE, rate / bare.items_per_second),
        Result(f"items_accepted_per_second{suffix}", flow.submitted_per_second, "items/s"),
    ]


def _short(installation: Installation, items: int, bare: Flow, suffix: str = "") -> tuple[Flow, list[Result]]:
    """One worker and a job that is soon done."""
    installation.start_worker()
    before = volume(installation)
    flow = whole_job(installation, items)
    taken = an_item(before, volume(installation), items + flow.warming)
    click.echo(f"{database_address(installation.settings).drivername}: {flow}")
    volumes = [Result(f"{name}_per_item{suffix}", value, "") for name, value in taken.items()]
    return flow, [*_compared(flow, bare, suffix), *volumes]


def _long(installation: Installation, waiting: int, items: int, short: Flow, suffix: str = "") -> list[Result]:
    """The beginning of a job that is far from done."""
    click.echo(f"submitting {waiting:,} items")
    flow = beginning_of_a_long_job(installation, waiting, items)
    click.echo(f"with {waiting:,} items waiting: {flow}")
    against = "a short job in the same run"
    cost, rate = flow.total_ms, flow.items_per_second
    return [
        Result(f"items_per_second_at_100k{suffix}", rate, "items/s", against, rate / short.items_per_second),
        Result(f"cpu_ms_per_item_at_100k{suffix}", cost, "ms", against, cost / short.total_ms),
        Result(f"items_accepted_per_second_at_100k{suffix}", flow.submitted_per_second, "items/s"),
    ]


def _sqlite(folder: Path, items: int, waiting: int, bare: Flow) -> list[Result]:
    with on_sqlite(folder / "sqlite") as installation:
        short, results = _short(installation, items, bare)
        seconds = seconds_after_working_process_killed(installation)
    with on_sqlite(folder / "long-sqlite") as installation:
        results += _long(installation, waiting, items, short)
    return [*results, Result("recovery_seconds_working_process_killed", seconds, "s")]


def _postgresql(folder: Path, items: int, waiting: int, bare: Flow) -> list[Result]:
    with on_postgresql(folder / "postgresql") as installation:
        short, results = _short(installation, items, bare, "_postgresql")
        installation.start_worker(SECOND)
        two = whole_job(installation, items)
        click.echo(f"two workers: {two}")
        results += _compared(two, bare, "_postgresql_two_workers")
        seconds = seconds_after_worker_gone(installation)
        click.echo(f"another worker took over after {seconds:.1f} s")
        installation.stop()
        results += _long(installation, waiting, items, short, "_postgresql")
    return [*results, Result("recovery_seconds_worker_gone", seconds, "s")]


def run(items: int = ITEMS, waiting: int = WAITING) -> list[Result]:
    """Measure everything.

    Args:
        items: how many are done for each number.
        waiting: how many wait in the long jobs.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bare, results = _bare(folder, items)
        results += _sqlite(folder, items, waiting, bare)
        (folder / "killed").mkdir()
        results.append(Result("recovery_seconds_worker_killed", recovery_seconds_worker_killed(folder / "killed"), "s"))
        return [*results, *_postgresql(folder, items, waiting, bare)]


@click.command()
@click.option("--items", default=200, show_default=True, help="How many items are done for each number.")
@click.option("--waiting", default=2000, show_default=True, help="How many wait in the long jobs.")
def _try(items: int, waiting: int) -> None:
    """Measure the queue and print the results without writing them."""
    for result in run(items, waiting):
        click.echo(f"  {result.name:60s} {result.value:12.3f} {result.unit}")


if __name__ == "__main__":
    _try()
