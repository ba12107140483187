"""Which workers there are, as the broker knows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import presence
from freeda_svc.workers.ability import Ability
from freeda_svc.workers.presence import PRESENCE, PresentWorker, able_queues, presence_noted, present_workers
from tests.tcp_broker import tcp_broker


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with tcp_broker(tmp_path / "broker") as address:
        yield address


def _fleet(tmp_path: Path, url: str, name: str = "") -> Settings:
    return load_settings(home=tmp_path / "home", broker_url=url, worker_name=name)


def test_workers_of_other_machines_are_seen_as_long_as_they_live(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = load_settings(home=tmp_path / "another home", broker_url=url)
    with pytest.raises(UnavailableError, match="there is no worker"):
        able_queues(asking)
    abilities = {"gpu-1": Ability(1), "gpu-2": Ability(2, reason="the bank is broken")}
    monkeypatch.setattr(presence, "running_ability", lambda settings: abilities[settings.worker_name])
    one, two = _fleet(tmp_path, url, "gpu-1"), _fleet(tmp_path, url, "gpu-2")
    with presence_noted(one, url, ["ingest"]) as first, presence_noted(two, url, ["bank", "segment"]) as second:
        first.note()
        with pytest.raises(UnavailableError, match="starting"):
            able_queues(asking)
        second.note()
        with pytest.raises(UnavailableError, match="the bank is broken"):
            able_queues(asking)
        abilities["gpu-2"] = Ability(2, able=True)
        second.note()
        assert able_queues(asking) == ["bank", "segment"]
        assert sorted(present_workers(url), key=str) == [
            PresentWorker(("bank", "segment"), able=True),
            PresentWorker(("ingest",), able=False),
        ]
        with presence.broker_client(url) as client:
            assert all(0 < client.pttl(key) <= 20_000 for key in client.keys(f"{PRESENCE}*"))
    assert present_workers(url) == []


def test_a_broker_that_is_away_is_said_without_its_password() -> None:
    with pytest.raises(UnavailableError, match="does not answer") as raised:
        present_workers("redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(raised.value)
