"""What a bank does when its disk seems full; tests/bank/embedded/test_full_disk.py fills one."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import ALL, EmbeddedStore
from freeda_svc.bank.embedded import folder as module
from freeda_svc.bank.embedded.directory import pack_ids
from freeda_svc.bank.embedded.ledger import ADDING, LEDGER_NAME, Ledger
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]

QUERY = np.ones((1, 5), dtype=np.float32)


@pytest.fixture
def bank(fast_folder: Path, make_prototypes: MakePrototypes) -> Path:
    with EmbeddedStore.open(fast_folder / "bank", "pack-of-the-tests", 5, 7) as store:
        store.add(make_prototypes(4))
    return fast_folder / "bank"


def fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", 2**60)


def test_a_whole_bank_on_a_full_disk_can_be_read(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_up(monkeypatch)
    with EmbeddedStore.open_existing(bank) as store:
        ids = store.select(ALL)
        assert len(store.payloads(ids)) == len(store.nearest(QUERY, 9)[0].ids) == store.vectors(ids).shape[0] == 4


def test_a_bank_that_was_cut_off_waits_for_room_before_it_asks_the_engine(
    bank: Path, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The engine does again what is in its log, into files with holes: on a full disk, the process would end.
    with closing(Ledger(bank / LEDGER_NAME)) as ledger:
        ledger.intend(ADDING, pack_ids(["00000000-0000-5000-8000-000000000000"]))
    with monkeypatch.context() as patch:
        fill_up(patch)
        with EmbeddedStore.open_existing(bank) as store:
            ids = store.select(ALL)
            assert len(store.nearest(QUERY, 9)[0].ids) == store.vectors(ids).shape[0] == 4
            for refused in (lambda: store.payloads(ids), lambda: store.add(make_prototypes(1, start=50))):
                with pytest.raises(UnavailableError, match=r"is full: \d+ MiB are free, expected \d+; make room$"):
                    refused()
    with EmbeddedStore.open_existing(bank) as store:
        assert len(store.payloads(ids)) == 4
        assert store.add(make_prototypes(1, start=50)) == 1


@pytest.mark.parametrize("lost", [LEDGER_NAME, "keys.float32"])
def test_what_is_lost_is_not_made_again_on_a_full_disk(bank: Path, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (bank / lost).unlink()
    with monkeypatch.context() as patch:
        fill_up(patch)
        with pytest.raises(UnavailableError, match="is full"):
            EmbeddedStore.open_existing(bank)
    with EmbeddedStore.open_existing(bank) as store:
        assert store.count() == 4


def test_no_bank_is_made_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        fill_up(patch)
        with pytest.raises(UnavailableError, match="is full"):
            EmbeddedStore.open(tmp_path / "bank", "pack", 5, 7)
    EmbeddedStore.open(tmp_path / "bank", "pack", 5, 7).close()
