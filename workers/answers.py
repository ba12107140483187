"""Answers to questions about banks, and small changes to them, by the process that holds them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from freeda_svc.bank.curation import MARK, CurationRule, apply_curation, assess, uncurate
from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.bank.store import Selection
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.whole_files import copy_file
from freeda_svc.workers.held import Held
from freeda_svc.workers.moves import check_export, check_import

MOST_FOUND = 1000
Answer = Any
"""Anything that JSON can hold."""


def _opened(held: Held, bank: str) -> BankName:
    return held.banks.resolve(bank)


def list_banks(held: Held) -> Answer:
    """All versions of all banks."""
    return [{**asdict(summary), "bank": str(summary.bank)} for summary in held.banks.summaries()]


def resolve_bank(held: Held, bank: str) -> Answer:
    """The version that a name means now."""
    return str(_opened(held, bank))


def create_bank(held: Held, bank: str) -> Answer:
    """Make an empty bank, or an empty version of one; without a version the first is meant."""
    name, version = split_bank_name(bank)
    made = BankName(name, version or 1)
    held.create(made)
    return str(made)


def switch_bank(held: Held, bank: str) -> Answer:
    """Make a version of a bank the current one."""
    chosen = BankName.parse(bank)
    held.banks.switch(chosen)
    return str(chosen)


def drop_bank(held: Held, bank: str) -> Answer:
    """Remove a version of a bank with all its prototypes."""
    chosen = BankName.parse(bank)
    held.check_unmoved(chosen)
    held.let_go(chosen)
    held.banks.drop(chosen)
    return str(chosen)


def copy_bank(held: Held, bank: str, folder: str) -> Answer:
    """Copy an embedded bank into a new folder, with nobody writing: how many prototypes, and files with SHA-256."""
    from freeda_svc.bank import EmbeddedBanks  # noqa: PLC0415 - commands do without the engine
    from freeda_svc.bank.qdrant.lock import LOCK_NAME, FolderLock  # noqa: PLC0415 - as above

    chosen = BankName.parse(bank)
    if not isinstance(held.banks, EmbeddedBanks):
        raise InputError("the banks lie on a Qdrant server: it makes backups of its own")
    held.let_go(chosen)
    place = held.banks.place(chosen)
    lock = FolderLock(place)
    try:
        files = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
        names = [path.relative_to(place).as_posix() for path in files]
        copied = [[name, copy_file(place / name, Path(folder) / name)] for name in names if name != LOCK_NAME]
        found = [summary.prototypes for summary in held.banks.summaries() if summary.bank == chosen]
        answer = {"prototypes": sum(found), "files": copied}
    except OSError as error:
        raise UnavailableError(f"the bank {chosen} cannot be copied: {error.strerror} ({error.filename})") from error
    finally:
        lock.release()
    return answer


def describe_bank(held: Held, bank: str) -> Answer:
    """Numbers about a bank."""
    name = _opened(held, bank)
    store = held.existing_bank(name)
    known = held.pack.description.nouns if held.pack.description.fits(store.pack) else None
    outside = {} if known is None else {noun: count for noun, count in store.nouns().items() if noun not in known}
    unknown = {"nouns_unknown_to_pack": len(outside), "prototypes_unknown_to_pack": sum(outside.values())}
    return {"bank": str(name), **asdict(store.stats()), **({} if known is None else unknown)}


def bank_version(held: Held, bank: str) -> Answer:
    """What is in a bank at this moment, to be compared with what was in it before."""
    return asdict(held.existing_bank(_opened(held, bank)).version())


def count_nouns(held: Held, bank: str) -> Answer:
    """All nouns in alphabetical order, with the number of prototypes of each."""
    return held.existing_bank(_opened(held, bank)).nouns()


def search_bank(held: Held, bank: str, text: str, limit: int) -> Answer:
    """The prototypes whose keys are nearest to a text, with all that is kept about each but its vectors."""
    if not text.strip():
        raise InputError("the text to search for is empty; give a word such as 'cat'")
    if not 1 <= limit <= MOST_FOUND:
        raise InputError(f"a search finds 1 to {MOST_FOUND} prototypes, not {limit}")
    name = _opened(held, bank)  # no bank at all is told before models are read
    held.existing_bank(name)
    store = held.bank(name)
    (found,) = store.nearest(held.pack.image_text.embed_nouns([text]).numpy(), limit)
    kept = zip(found.ids, found.scores, store.payloads(found.ids), strict=True)
    return [{"id": identifier, "score": float(score), **payload} for identifier, score, payload in kept]


def index_bank(held: Held, bank: str, *, prototypes: bool) -> Answer:
    """Pack a bank for searching, and build the graph of its prototypes if that is asked for."""
    name = _opened(held, bank)
    store = held.existing_bank(name)
    before = store.stats().bytes_on_disk
    store.optimize(index_prototypes=prototypes)
    return {"bank": str(name), "bytes_before": before, "bytes": store.stats().bytes_on_disk}


def show_prototype(held: Held, bank: str, identifier: str) -> Answer:
    """All that is kept about a prototype but its vectors."""
    (payload,) = held.existing_bank(_opened(held, bank)).payloads([identifier])
    return {"id": identifier, **payload}


def count_selected(held: Held, bank: str, selection: dict[str, Any]) -> Answer:
    """How many prototypes are meant."""
    return held.existing_bank(_opened(held, bank)).count(_selection(selection))


def forget(held: Held, bank: str, selection: dict[str, Any]) -> Answer:
    """Remove the prototypes that are meant; tells how many were removed."""
    store = held.existing_bank(_opened(held, bank))
    return store.forget(store.select(_selection(selection)))


def curate_bank(held: Held, bank: str, keep: float | None, *, dry_run: bool) -> Answer:
    """Mark the prototypes that differ most from others of their noun, or only say which."""
    store = held.existing_bank(_opened(held, bank))
    report = assess(store, CurationRule() if keep is None else CurationRule(keep=keep))
    marked = 0 if dry_run else apply_curation(store, report)
    return {
        "assessed": report.assessed,
        "left_alone": report.left_alone,
        "found": len(report.reasons),
        "newly_marked": marked,
        "reasons": dict(Counter(reason.removeprefix(MARK) for reason in report.reasons.values())),
        "nouns": {noun: list(counts) for noun, counts in report.nouns.items()},
    }


def uncurate_bank(held: Held, bank: str) -> Answer:
    """Take back the marks of curation; tells how many there were."""
    return uncurate(held.existing_bank(_opened(held, bank)))


def _selection(given: dict[str, Any]) -> Selection:
    if not given:
        raise InputError("nothing says which prototypes are meant: give a noun, a job, a caption or an origin")
    return Selection(**given)


ANSWERS: dict[str, Callable[..., Answer]] = {
    function.__name__: function
    for function in (
        list_banks,
        resolve_bank,
        create_bank,
        switch_bank,
        drop_bank,
        copy_bank,
        describe_bank,
        bank_version,
        count_nouns,
        index_bank,
        search_bank,
        show_prototype,
        count_selected,
        forget,
        curate_bank,
        uncurate_bank,
        check_export,
        check_import,
    )
}

UNDISTURBED = frozenset({copy_bank.__name__})
"""Those that close a bank, so that they wait until no item is in hand."""
