from pathlib import Path
from types import SimpleNamespace

import pytest

from freeda_svc.bank import BankName, EmbeddedBanks
from freeda_svc.errors import NotFoundError
from freeda_svc.settings import load_settings
from freeda_svc.workers.resources import Resources

FIRST = BankName("default", 1)


def test_a_bank_that_another_worker_makes_at_the_same_time_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = Resources(load_settings(home=tmp_path))
    pack = SimpleNamespace(
        encoders_fingerprint="f",
        description=SimpleNamespace(fits={"f"}.__contains__),
        image_text=SimpleNamespace(dimension=3),
        backbone=SimpleNamespace(dimension=2),
    )
    monkeypatch.setitem(resources.__dict__, "pack", pack)
    resolve = EmbeddedBanks.resolve

    def made_meanwhile(banks: EmbeddedBanks, text: str) -> BankName:
        monkeypatch.setattr(EmbeddedBanks, "resolve", resolve)
        banks.create(FIRST, "f", 3, 2)
        raise NotFoundError(f"there was no bank {text} an instant ago")

    monkeypatch.setattr(EmbeddedBanks, "resolve", made_meanwhile)
    try:
        assert resources.bank(FIRST).pack == "f"
    finally:
        resources.close()
