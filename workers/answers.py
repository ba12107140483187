"""Answers to questions about banks, and small changes to them, by the process that holds them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from heapq import nsmallest
from pathlib import Path
from typing import Any

from freeda_svc.bank import Selection
from freeda_svc.bank.banks import BankName, split_bank_name
from freeda_svc.bank.curation import MARK, CurationRule, apply_curation, assess, uncurate
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.whole_files import copy_file
from freeda_svc.workers.moves import check_export, check_import
from freeda_svc.workers.resources import Resources

MOST_FOUND = 1000
Answer = Any
"""Anything that JSON can hold."""


def _opened(resources: Resources, bank: str) -> BankName:
    return resources.banks.resolve(bank)


def list_banks(resources: Resources) -> Answer:
    """All versions of all banks."""
    return [{**asdict(summary), "bank": str(summary.bank)} for summary in resources.banks.summaries()]


def resolve_bank(resources: Resources, bank: str) -> Answer:
    """The version that a name means now."""
    return str(_opened(resources, bank))


def create_bank(resources: Resources, bank: str) -> Answer:
    """Make an empty bank, or an empty version of one; without a version the first is meant."""
    name, version = split_bank_name(bank)
    made = BankName(name, version or 1)
    resources.create(made)
    return str(made)


def switch_bank(resources: Resources, bank: str) -> Answer:
    """Make a version of a bank the current one."""
    chosen = BankName.parse(bank)
    resources.banks.switch(chosen)
    return str(chosen)


def drop_bank(resources: Resources, bank: str) -> Answer:
    """Remove a version of a bank with all its prototypes."""
    chosen = BankName.parse(bank)
    resources.check_unmoved(chosen)
    resources.let_go(chosen)
    resources.banks.drop(chosen)
    return str(chosen)


def copy_bank(resources: Resources, bank: str, folder: str) -> Answer:
    """Copy an embedded bank into a new folder, which nothing writes to: its prototypes, and files with SHA-256."""
    from freeda_svc.bank import EmbeddedBanks  # noqa: PLC0415 - commands do without the engine
    from freeda_svc.bank.qdrant.lock import LOCK_NAME, FolderLock  # noqa: PLC0415 - as above

    chosen = BankName.parse(bank)
    if not isinstance(resources.banks, EmbeddedBanks):
        raise InputError("the banks lie on a Qdrant server: it makes backups of its own")
    resources.let_go(chosen)
    place = resources.banks.place(chosen)
    lock = FolderLock(place)
    try:
        files = sorted(path for path in place.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
        names = [path.relative_to(place).as_posix() for path in files]
        copied = [[name, copy_file(place / name, Path(folder) / name)] for name in names if name != LOCK_NAME]
        found = [summary.prototypes for summary in resources.banks.summaries() if summary.bank == chosen]
        answer = {"prototypes": sum(found), "files": copied}
    except OSError as error:
        raise UnavailableError(f"the bank {chosen} cannot be copied: {error.strerror} ({error.filename})") from error
    finally:
        lock.release()
    return answer


def describe_bank(resources: Resources, bank: str) -> Answer:
    """Numbers about a bank."""
    name = _opened(resources, bank)
    store = resources.existing_bank(name)
    known = resources.pack.description.nouns if resources.pack.description.fits(store.pack) else None
    outside = {} if known is None else {noun: count for noun, count in store.nouns().items() if noun not in known}
    unknown = {"nouns_unknown_to_pack": len(outside), "prototypes_unknown_to_pack": sum(outside.values())}
    return {"bank": str(name), **asdict(store.stats()), **({} if known is None else unknown)}


def bank_revision(resources: Resources, bank: str) -> Answer:
    """What is in a bank at this moment, to be compared with what was in it before."""
    return asdict(resources.existing_bank(_opened(resources, bank)).revision())


def count_nouns(resources: Resources, bank: str) -> Answer:
    """All nouns in alphabetical order, with the number of prototypes of each."""
    return resources.existing_bank(_opened(resources, bank)).nouns()


def search_bank(resources: Resources, bank: str, text: str, limit: int) -> Answer:
    """The prototypes whose keys are nearest to a text, with all that is kept about each but its vectors."""
    if not text.strip():
        raise InputError("the text to search for is empty; give a word such as 'cat'")
    if not 1 <= limit <= MOST_FOUND:
        raise InputError(f"a search finds 1 to {MOST_FOUND} prototypes, not {limit}")
    name = _opened(resources, bank)  # a missing bank is reported before models are loaded
    resources.existing_bank(name)
    store = resources.bank(name)
    (found,) = store.nearest(resources.pack.image_text.embed_nouns([text]).numpy(), limit)
    kept = zip(found.ids, found.scores, store.payloads(found.ids), strict=True)
    return [{"id": identifier, "score": float(score), **payload} for identifier, score, payload in kept]


def index_bank(resources: Resources, bank: str, *, prototypes: bool) -> Answer:
    """Pack a bank for searching, and build the graph of its prototypes if that is asked for."""
    name = _opened(resources, bank)
    store = resources.existing_bank(name)
    before = store.stats().bytes_on_disk
    store.optimize(index_prototypes=prototypes)
    return {"bank": str(name), "bytes_before": before, "bytes": store.stats().bytes_on_disk}


def show_prototype(resources: Resources, bank: str, identifier: str) -> Answer:
    """All that is kept about a prototype but its vectors."""
    (payload,) = resources.existing_bank(_opened(resources, bank)).payloads([identifier])
    return {"id": identifier, **payload}


def count_selected(resources: Resources, bank: str, selection: dict[str, Any]) -> Answer:
    """How many prototypes are selected."""
    return resources.existing_bank(_opened(resources, bank)).count(_selection(selection))


def forget(resources: Resources, bank: str, selection: dict[str, Any]) -> Answer:
    """Remove the selected prototypes; return how many were removed."""
    store = resources.existing_bank(_opened(resources, bank))
    return store.forget(store.select(_selection(selection)))


def curate_bank(resources: Resources, bank: str, keep: float | None, *, dry_run: bool) -> Answer:
    """Mark the prototypes that differ most from others of their noun, or only say which."""
    store = resources.existing_bank(_opened(resources, bank))
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


def uncurate_bank(resources: Resources, bank: str) -> Answer:
    """Remove the marks of curation; return how many there were."""
    return uncurate(resources.existing_bank(_opened(resources, bank)))


def list_prototypes(resources: Resources, bank: str, selection: dict[str, Any], after: str, limit: int) -> Answer:
    """The prototypes that are meant, with all that is kept about each but its vectors, in the order of their ids."""
    store = resources.existing_bank(_opened(resources, bank))
    ids = nsmallest(limit, (key for key in store.select(_selection(selection)) if key > after))
    return [{"id": key, **payload} for key, payload in zip(ids, store.payloads(ids), strict=True)] if ids else []


def known_words(resources: Resources, bank: str, texts: list[str]) -> Answer:
    """What a bank knows of words: prototypes of their own nouns, and the nearest other nouns."""
    name = _opened(resources, bank)
    if not resources.existing_bank(name).count():
        return [{"text": text, "prototypes": 0, "retrieved": 0, "nearest": []} for text in texts]
    from freeda_svc.outputs import word_values  # noqa: PLC0415 - commands do without the method

    return [word_values(word) for word in resources.segmenter(name).known_words(texts)]


def mark_prototypes(resources: Resources, bank: str, reasons: dict[str, str]) -> Answer:
    """Mark prototypes as outliers, each for a reason; tells how many were not marked before."""
    if any(reason.startswith(MARK) for reason in reasons.values()):
        raise InputError(f"a reason that begins with {MARK!r} is one of `freeda bank curate`; give another one")
    store = resources.existing_bank(_opened(resources, bank))
    store.payloads(list(reasons))  # says which of them is not there
    return store.mark(reasons)


def unmark_prototypes(resources: Resources, bank: str, ids: list[str]) -> Answer:
    """Take back that prototypes are outliers; tells how many were."""
    store = resources.existing_bank(_opened(resources, bank))
    store.payloads(ids)
    return store.unmark(ids)


def forget_prototypes(resources: Resources, bank: str, ids: list[str]) -> Answer:
    """Remove prototypes; tells how many were removed."""
    store = resources.existing_bank(_opened(resources, bank))
    store.payloads(ids)
    return store.forget(ids)


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
        bank_revision,
        count_nouns,
        index_bank,
        search_bank,
        show_prototype,
        count_selected,
        forget,
        curate_bank,
        uncurate_bank,
        list_prototypes,
        known_words,
        mark_prototypes,
        unmark_prototypes,
        forget_prototypes,
        check_export,
        check_import,
    )
}

UNDISTURBED = frozenset({copy_bank.__name__})
"""Those that close a bank, so that they wait until no item is running."""
