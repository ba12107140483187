from freeda_svc.bank.banks import BankName
from freeda_svc.jobs.banks import bank_created, open_banks
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
