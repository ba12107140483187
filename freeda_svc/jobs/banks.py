"""Which banks an installation has, and which of them a job is about."""

from contextlib import closing

from freeda_svc.bank import Approximate
from freeda_svc.bank.banks import DEFAULT_BANK, BankName, Banks, split_bank_name
from freeda_svc.errors import NotFoundError
from freeda_svc.settings import Settings

BANK = "bank"
"""The parameter of a job that names its bank, with its version."""


def open_banks(settings: Settings) -> Banks:
    """Return the banks of an installation: those of its Qdrant server, or the embedded ones of its home.

    Raises:
        InputError: the server's address is none.
    """
    approximate = None
    if settings.search != "exact":
        approximate = Approximate(settings.search_depth, quantized=settings.search == "quantized")
    if settings.qdrant_url:
        from freeda_svc.bank.qdrant.connection import connect  # noqa: PLC0415 - its client takes a second to import
        from freeda_svc.bank.qdrant.server_banks import ServerBanks  # noqa: PLC0415 - as above

        return ServerBanks(connect(settings.qdrant_url, settings.qdrant_api_key), approximate)
    from freeda_svc.bank import EmbeddedBanks  # noqa: PLC0415 - only where it is used

    return EmbeddedBanks(settings.banks_folder, approximate)


def bank_of_new_job(settings: Settings, text: str) -> BankName:
    """The version of a bank that a job is to use from its beginning to its end, whatever becomes current meanwhile.

    The first version of the default bank need not be there: the worker makes it.

    Raises:
        InputError: it is no name of a bank.
        NotFoundError: there is no such bank.
        UnavailableError: the banks cannot be reached.
    """
    banks = open_banks(settings)
    try:
        return banks.resolve(text)
    except NotFoundError:
        name, version = split_bank_name(text)
        if name != DEFAULT_BANK or version not in {None, 1}:
            raise
        if any(summary.bank.name == name for summary in banks.summaries()):
            return banks.resolve(text)  # other versions, or a worker has made it since it was looked for
        return BankName(DEFAULT_BANK, 1)
    finally:
        banks.close()


def bank_created(settings: Settings, bank: BankName) -> str:
    """When a version of a bank was made, ISO 8601 in UTC; empty when it is not there yet.

    Raises:
        UnavailableError: the banks cannot be reached.
    """
    with closing(open_banks(settings)) as banks:
        return next((summary.created for summary in banks.summaries() if summary.bank == bank), "")


def bank_of_job(parameters: dict[str, object]) -> BankName:
    """The bank that a job is about; the default one for jobs that were accepted before banks had names."""
    return BankName.parse(str(parameters.get(BANK, BankName(DEFAULT_BANK, 1))))
