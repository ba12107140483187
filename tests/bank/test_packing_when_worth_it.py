"""Large imports and curations pack their bank, and do not fail where it cannot be packed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog.testing

from freeda_svc.bank import PrototypeStore, make_or_open_folder, point_id
from freeda_svc.bank import store as store_module
from freeda_svc.bank.curation import CurationReport, apply_curation
from freeda_svc.bank.moving import export_bank, import_bank
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

PACK = "pack-of-the-tests"
MakePrototypes = Callable[..., list[Prototype]]


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prototypes banks had whenever they were packed; from ten changes on it is worth it."""
    counts: list[int] = []
    monkeypatch.setattr(store_module, "WORTH_PACKING", 10)
    monkeypatch.setattr(PrototypeStore, "optimize", lambda store: counts.append(store.count()))
    return counts


@pytest.mark.parametrize(("number", "expected"), [(9, []), (10, [10])])
def test_an_import(
    packed: list[int], make_prototypes: MakePrototypes, tmp_path: Path, number: int, expected: list[int]
) -> None:
    with make_or_open_folder(tmp_path / "from", PACK, 5, 7) as store:
        store.add(make_prototypes(number))
        export_bank(store, tmp_path / "archive", parameters={})
    with make_or_open_folder(tmp_path / "into", PACK, 5, 7) as store:
        import_bank(tmp_path / "archive", store)
        assert packed == expected
        import_bank(tmp_path / "archive", store)  # adds nothing
    assert packed == expected


def test_a_curation(packed: list[int], make_prototypes: MakePrototypes, tmp_path: Path) -> None:
    prototypes = make_prototypes(12)
    with make_or_open_folder(tmp_path / "bank", PACK, 5, 7) as store:
        store.add(prototypes)
        reasons = {point_id(prototype): "curation: low contrast" for prototype in prototypes}
        few = dict(list(reasons.items())[:9])
        assert apply_curation(store, CurationReport(12, 0, few, {})) == 9
        assert packed == []
        assert apply_curation(store, CurationReport(12, 0, {}, {})) == 0  # takes nine back
        assert apply_curation(store, CurationReport(12, 0, reasons, {})) == 12
    assert packed == [12]


def test_a_bank_that_cannot_be_packed_is_told_and_holds_all(
    packed: list[int], make_prototypes: MakePrototypes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: PrototypeStore) -> None:
        raise UnavailableError("the disk with the bank is full")

    with make_or_open_folder(tmp_path / "from", PACK, 5, 7) as store:
        store.add(make_prototypes(10))
        export_bank(store, tmp_path / "archive", parameters={})
    monkeypatch.setattr(PrototypeStore, "optimize", fail)
    with make_or_open_folder(tmp_path / "into", PACK, 5, 7) as store, structlog.testing.capture_logs() as told:
        assert import_bank(tmp_path / "archive", store).added == 10
        assert store.count() == 10
    assert [line["reason"] for line in told] == ["the disk with the bank is full"]
