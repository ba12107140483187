from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.bank_place import PLACE_KEY, leave_bank_place, take_bank_place
from freeda_svc.workers.broker_server import start_broker


def test_workers_with_other_banks_are_refused(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    first = make_settings()
    url = start_broker(first)
    second = make_settings(home=tmp_path / "second")
    server, same_server = (make_settings(home=tmp_path / name, qdrant_url=f"http://{name}:6333") for name in "ab")

    take_bank_place(first, url)
    take_bank_place(first, url)
    for other in (second, server):
        with pytest.raises(
            BusyError, match=f"use the embedded bank .*{first.banks_folder}, this one would use"
        ) as told:
            take_bank_place(other, url)
        assert "\n" not in str(told.value)

    leave_bank_place(first, url)
    take_bank_place(server, url)
    take_bank_place(same_server, url)
    leave_bank_place(server, url)  # the other one is still there
    with pytest.raises(BusyError, match="use a Qdrant server, this one would use the embedded bank"):
        take_bank_place(first, url)


def test_the_dead_hold_no_place_for_long(settings: Settings) -> None:
    url = start_broker(settings)
    take_bank_place(settings, url)
    with redis.Redis.from_url(url) as client:
        assert 0 < client.pttl(PLACE_KEY) <= 60_000


def test_a_broker_that_is_gone_is_reported_in_one_line(settings: Settings) -> None:
    with pytest.raises(UnavailableError, match=r"the broker redis://:\*\*\*@127.0.0.1:1/0 does not answer"):
        take_bank_place(settings, "redis://:secret@127.0.0.1:1/0")
