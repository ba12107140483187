from collections.abc import Callable, Iterator

import pytest

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import submit_ingest
from freeda_svc.jobs.claims import Claim, claim_next, claim_together, finish_item
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.lease_keeper import LeaseKeeper
from freeda_svc.workers.metrics_reports import Report


@pytest.fixture
def settings(make_settings: Callable[..., Settings], described_pack: str) -> Settings:
    return make_settings(pack=described_pack, lease_seconds=0.15)


@pytest.fixture
def claim(settings: Settings, captions: Callable[..., list[Caption]]) -> Claim:
    submit_ingest(settings, captions(1), source="x", dispatcher=CeleryDispatcher(settings))
    claim = claim_next(settings, "worker")
    assert claim is not None
    return claim


@pytest.fixture
def keeper(settings: Settings) -> Iterator[LeaseKeeper]:
    keeper = LeaseKeeper(settings)
    keeper.start()
    yield keeper
    keeper.stop()


def _lease(settings: Settings, claim: Claim) -> object:
    with reading(settings) as session:
        return session.get_one(WorkItem, claim.item_id).lease_until


def test_the_lease_of_the_item_in_hand_is_renewed_again_and_again(
    settings: Settings, claim: Claim, keeper: LeaseKeeper, eventually: Callable[..., None]
) -> None:
    report = Report()
    with keeper.keeping([claim], report):
        for _ in range(2):
            before = _lease(settings, claim)
            eventually(lambda before=before: _lease(settings, claim) != before)
    assert report.renewals >= 2
    with keeper.keeping([claim], Report()):
        pass
    assert keeper.claims == []


def test_what_is_in_other_hands_is_let_alone(
    settings: Settings, claim: Claim, keeper: LeaseKeeper, eventually: Callable[..., None]
) -> None:
    finish_item(settings, claim, {})
    with keeper.keeping([claim], Report()):
        eventually(lambda: keeper.claims == [])
    assert _lease(settings, claim) is None


def test_several_leases_are_renewed_and_losing_one_does_not_end_the_others(
    settings: Settings,
    captions: Callable[..., list[Caption]],
    keeper: LeaseKeeper,
    eventually: Callable[..., None],
) -> None:
    submit_ingest(settings, captions(3), source="x", dispatcher=CeleryDispatcher(settings))
    claims = claim_together(settings, "worker", most=lambda _first: 3)
    finish_item(settings, claims[1], {})
    before = [_lease(settings, claim) for claim in claims]
    with keeper.keeping(claims, Report()):
        eventually(lambda: _lease(settings, claims[2]) != before[2] and keeper.claims == [claims[0], claims[2]])
    assert _lease(settings, claims[0]) != before[0]
    assert _lease(settings, claims[1]) is None


def test_an_item_that_pauses_for_another_keeps_its_lease(
    settings: Settings,
    captions: Callable[..., list[Caption]],
    keeper: LeaseKeeper,
    eventually: Callable[..., None],
) -> None:
    submit_ingest(settings, captions(2), source="x", dispatcher=CeleryDispatcher(settings))
    pausing, other = claim_together(settings, "worker", most=lambda _first: 2)
    with keeper.keeping([pausing], Report()):
        with keeper.keeping([other], Report()):
            before = [_lease(settings, claim) for claim in (pausing, other)]
            eventually(
                lambda: all(_lease(settings, one) != was for one, was in zip((pausing, other), before, strict=True))
            )
        assert keeper.claims == [pausing]
        before = [_lease(settings, pausing)]
        eventually(lambda: _lease(settings, pausing) != before[0])
    assert keeper.claims == []


def test_a_database_that_is_away_for_a_while_does_not_end_it(
    settings: Settings, claim: Claim, keeper: LeaseKeeper, eventually: Callable[..., None]
) -> None:
    before = _lease(settings, claim)
    aside = settings.home / "aside"
    settings.database_file.rename(aside)
    settings.database_file.mkdir()
    report = Report()
    with keeper.keeping([claim], report):
        eventually(lambda: report.renewals_failed)
        settings.database_file.rmdir()
        aside.rename(settings.database_file)
        eventually(lambda: _lease(settings, claim) != before)
