from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import submit_ingest
from freeda_svc.jobs.claims import Claim, claim_next, fail_item, finish_item, renew_lease
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.leases import FROZEN_SECONDS, LeaseWatch
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
LEASE = 20.0


class _Clock:
    """A watcher's own clock, set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def leased(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> Settings:
    given = settings.model_copy(update={"lease_seconds": LEASE})
    submit_ingest(given, captions(2), source="x", dispatcher=outbox)
    return given


@pytest.fixture
def watch(leased: Settings, clock: _Clock) -> LeaseWatch:
    return LeaseWatch(leased, clock=clock)


def _claim(settings: Settings, worker: str) -> Claim:
    claim = claim_next(settings, worker)
    assert claim is not None
    return claim


def test_who_is_silent_for_a_lease_loses_the_item_and_cannot_end_it(
    leased: Settings, watch: LeaseWatch, clock: _Clock
) -> None:
    slow = _claim(leased, "slow")
    assert watch.put_back_silent_items() == 0
    clock.seconds = LEASE - 1
    assert watch.put_back_silent_items() == 0
    clock.seconds = LEASE
    assert watch.put_back_silent_items() == 1
    assert watch.put_back_silent_items() == 0
    assert not renew_lease(leased, slow)
    quick = _claim(leased, "quick")
    assert (quick.item_id, quick.attempt) == (slow.item_id, 2)
    assert not finish_item(leased, slow, {"by": "slow"})
    assert not fail_item(leased, slow, "late", final=True)
    assert finish_item(leased, quick, {"by": "quick"})
    with reading(leased) as session:
        assert session.get_one(WorkItem, quick.item_id).result == {"by": "quick"}
        assert list(session.scalars(select(Attempt.outcome).order_by(Attempt.number))) == ["lost", "done"]


def test_a_lease_that_is_renewed_is_not_taken_away(leased: Settings, watch: LeaseWatch, clock: _Clock) -> None:
    claim = _claim(leased, "worker")
    for seconds in range(0, 100, 10):
        clock.seconds = seconds
        assert renew_lease(leased, claim)
        assert watch.put_back_silent_items() == 0


def test_a_lease_renewed_while_it_is_put_back_holds(
    leased: Settings, watch: LeaseWatch, clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = _claim(leased, "worker")
    watch.put_back_silent_items()
    clock.seconds = LEASE
    from freeda_svc.jobs import leases  # noqa: PLC0415

    seen = leases.running_leases

    def renewed_at_once(settings: Settings) -> object:
        found = seen(settings)
        renew_lease(leased, claim)
        return found

    monkeypatch.setattr(leases, "running_leases", renewed_at_once)
    assert watch.put_back_silent_items() == 0
    assert finish_item(leased, claim, {})


@pytest.mark.parametrize("wrong", [timedelta(days=-400), timedelta(hours=-2), timedelta(hours=2), timedelta(days=400)])
def test_a_wrong_clock_neither_steals_nor_keeps_an_item(
    leased: Settings, watch: LeaseWatch, clock: _Clock, wrong: timedelta
) -> None:
    _claim(leased, "worker of another time")
    with writing(leased) as session:
        moved = {"lease_until": WorkItem.lease_until, "updated_at": WorkItem.updated_at}
        item = session.scalars(select(WorkItem).where(WorkItem.state == "running")).one()
        moved = {"lease_until": item.lease_until + wrong, "updated_at": item.updated_at + wrong}
        session.execute(update(WorkItem).where(WorkItem.id == item.id).values(**moved))
    assert watch.put_back_silent_items() == 0
    clock.seconds = LEASE - 1
    assert watch.put_back_silent_items() == 0
    clock.seconds = LEASE
    assert watch.put_back_silent_items() == 1


def test_the_length_of_a_lease_is_its_workers_choice(leased: Settings, watch: LeaseWatch, clock: _Clock) -> None:
    _claim(leased.model_copy(update={"lease_seconds": 2 * LEASE}), "patient")
    watch.put_back_silent_items()
    clock.seconds = LEASE
    assert watch.put_back_silent_items() == 0
    clock.seconds = 2 * LEASE
    assert watch.put_back_silent_items() == 1


def test_a_watcher_that_was_frozen_watches_again(leased: Settings, watch: LeaseWatch, clock: _Clock) -> None:
    _claim(leased, "worker")
    watch.put_back_silent_items()
    clock.seconds = FROZEN_SECONDS + LEASE
    assert watch.put_back_silent_items() == 0
    clock.seconds += LEASE
    assert watch.put_back_silent_items() == 1


def test_while_the_database_is_away_nobody_falls_silent(
    leased: Settings, watch: LeaseWatch, clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _claim(leased, "worker")
    watch.put_back_silent_items()

    def fail(_: Settings) -> object:
        raise UnavailableError("the database does not answer")

    clock.seconds = LEASE - 1
    with monkeypatch.context() as patch:
        patch.setattr("freeda_svc.jobs.leases.running_leases", fail)
        with pytest.raises(UnavailableError):
            watch.put_back_silent_items()
    clock.seconds = LEASE + 1
    assert watch.put_back_silent_items() == 0
    clock.seconds = 2 * LEASE + 1
    assert watch.put_back_silent_items() == 1


def test_of_two_watchers_one_puts_an_item_back(leased: Settings, watch: LeaseWatch, clock: _Clock) -> None:
    _claim(leased, "silent")
    other = LeaseWatch(leased, clock=clock)
    assert watch.put_back_silent_items() == other.put_back_silent_items() == 0
    clock.seconds = LEASE
    assert (watch.put_back_silent_items(), other.put_back_silent_items()) == (1, 0)
