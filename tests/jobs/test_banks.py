import pytest

from freeda_svc.bank import EmbeddedBanks
from freeda_svc.bank.banks import BankName
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs.banks import bank_created, bank_of_new_job, open_banks
from freeda_svc.settings import Settings


def test_when_a_bank_was_made_tells_it_from_another_one_of_its_name(settings: Settings) -> None:
    first, second = BankName("default", 1), BankName("default", 2)
    assert bank_created(settings, first) == ""
    banks = open_banks(settings)
    banks.create(first, "pack", 4, 4)
    made = bank_created(settings, first)
    assert made == next(summary.created for summary in banks.summaries())
    assert made.startswith("20")
    assert bank_created(settings, second) == ""
    banks.close()


def test_the_default_bank_may_be_made_while_a_job_looks_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = EmbeddedBanks.resolve

    def made_afterwards(self: EmbeddedBanks, text: str) -> BankName:
        try:
            return resolve(self, text)
        except NotFoundError:
            self.create(BankName("default", 1), "pack", 4, 4)
            raise

    monkeypatch.setattr(EmbeddedBanks, "resolve", made_afterwards)
    assert bank_of_new_job(settings, "default") == BankName("default", 1)


def test_a_job_for_a_bank_that_nobody_makes_is_refused(settings: Settings) -> None:
    for unknown in ("animals", "default@2"):
        with pytest.raises(NotFoundError, match="there is no bank"):
            bank_of_new_job(settings, unknown)
    banks = open_banks(settings)
    banks.create(BankName("default", 3), "pack", 4, 4)
    banks.close()
    with pytest.raises(NotFoundError, match="default@1"):
        bank_of_new_job(settings, "default@1")
    assert bank_of_new_job(settings, "default") == BankName("default", 3)
