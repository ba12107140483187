"""Are the models and the banks there, do they belong together, and what computes them?"""

from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import numpy as np

from freeda_svc.bank import PrototypeStore, Selection
from freeda_svc.bank.banks import Banks, BankSummary
from freeda_svc.cli.console import size_text
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.counts import counted
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError, one_line
from freeda_svc.jobs import open_banks
from freeda_svc.packs import (
    Computing,
    check_files,
    choose_computing,
    describe_computing,
    encoder_precision,
    processor_rounds_to_bfloat16,
    read_pack_parameters,
)
from freeda_svc.settings import Settings
from freeda_svc.workers import ask_bank, running_ability, try_parts, worker_pid

_RESTORE = (
    "stop the worker and keep a copy of the bank's folder; then `freeda restore` a backup, import an archive "
    "(`freeda bank import`), or ingest its captions into another version (`freeda bank create`)"
)
_SAMPLE = 500
_MOST_SCANNED = 20_000
_FEW = 3
_ROUNDING = 0.01
_ANSWER_SECONDS = 10.0
_DRIVER = Path("/proc/driver/nvidia/version")


def look_at_pack(settings: Settings) -> Iterator[Finding]:
    """Are its files there and whole?"""
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    try:
        check_files(pack)
    except InputError as error:
        yield wrong("models", str(error).removesuffix(f"; {pack.remedy}"), pack.remedy)
        return
    size = sum((pack.folder / name).stat().st_size for name in pack.files)
    fingerprints = f"fingerprint {pack.fingerprint}, of its encoders {pack.encoders_fingerprint}"
    yield ok("models", f"pack {pack.name}, {counted(len(pack.files), 'file')}, {size_text(size)}, {fingerprints}")


def look_at_bank(settings: Settings) -> Iterator[Finding]:
    """Is the bank there and of the pack, can it be searched, and can what is found be read?"""
    with closing(open_banks(settings)) as banks:
        summaries = _summaries(banks)
        if isinstance(summaries, Finding):
            yield summaries
            return
        try:
            meant = banks.resolve(settings.bank)
        except NotFoundError as error:
            yield note("bank", str(error).partition(":")[0], "run `freeda ingest FILE`, or `freeda bank create NAME`")
            return
        for summary in summaries:
            if summary.fault:
                yield wrong("bank", f"{summary.bank}: {summary.fault}", _RESTORE)
        bank = next(summary for summary in summaries if summary.bank == meant)
        if bank.fault:
            return
        about = f"{meant}, {counted(bank.prototypes, 'prototype')}" + _others(len(summaries) - 1)
        yield _searched(settings, banks, bank, about)
    try:
        pack = read_pack_parameters(settings.pack, settings.packs_folder)
    except FreedaError:  # reported elsewhere
        return
    if not pack.fits(bank.pack):
        yield wrong(
            "bank",
            f"{meant} was made with pack {bank.pack}, but the pack in use, {pack.name}, is {pack.fingerprint} "
            f"with the encoders {pack.encoders_fingerprint}",
            "set FREEDA_PACK to the bank's pack, or FREEDA_BANK to a bank of this one",
        )


def _summaries(banks: Banks) -> list[BankSummary] | Finding:
    try:
        return banks.summaries()
    except FreedaError as error:
        return wrong("bank", one_line(error), _RESTORE)


def _searched(settings: Settings, banks: Banks, bank: BankSummary, about: str) -> Finding:
    """Open the bank and read some of it; where a worker holds it, the worker is asked."""
    try:
        store = banks.open(bank.bank)
    except BusyError:
        return _asked(settings, bank, about)
    except (InputError, UnavailableError) as error:
        return wrong("bank", one_line(error), _RESTORE)
    try:
        with closing(store):
            fault = _fault(store)
    except FreedaError as error:
        fault = one_line(error)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises over a broken file
        fault = f"{type(error).__name__}: {one_line(error)}"
    return (
        wrong("bank", f"{bank.bank} cannot be used: {fault}", _RESTORE) if fault else ok("bank", f"{about}, searched")
    )


def _fault(store: PrototypeStore) -> str:
    """What a search, and reading prototypes from all over the bank, finds broken; empty when nothing."""
    ids = store.select(Selection(outlier=False))
    if not ids:
        return ""
    [found] = store.nearest(np.ones((1, store.key_dimension), dtype=np.float32), 1)
    if len(found.scores) == 0 or not all(abs(score) <= 1 + _ROUNDING for score in found.scores):  # a NaN is none
        return "its keys are not of length 1, so their file is damaged"
    store.vectors(ids[:: max(1, len(ids) // _SAMPLE)])
    for number, _ in enumerate(store.scan(at_once=_SAMPLE)):  # where keys and payloads are read and checked, too
        if number * _SAMPLE >= _MOST_SCANNED:
            break
    return ""


def _asked(settings: Settings, bank: BankSummary, about: str) -> Finding:
    patient = settings.model_copy(update={"query_timeout_seconds": _ANSWER_SECONDS})
    try:
        ask_bank(patient, "search_bank", bank=str(bank.bank), text="a thing", limit=_FEW)
    except UnavailableError:
        return note("bank", f"{about}; not searched: its worker is busy", "run `freeda doctor` again later")
    except BusyError as error:
        return note("bank", f"{about}; not searched: {one_line(error)}", "run `freeda doctor` again later")
    except FreedaError as error:
        return wrong("bank", f"{bank.bank} cannot be used: {one_line(error)}", _RESTORE)
    return ok("bank", f"{about}, searched by the worker")


def _others(count: int) -> str:
    return f"; {count} other version{'' if count == 1 else 's'} of banks" if count else ""


def look_at_device(settings: Settings) -> Iterator[Finding]:
    """Can it be computed on, and is it the one that was meant? A worker that runs has tried it, so it is asked."""
    if worker_pid(settings) is None:
        yield from _try_device(settings)
        return
    ability = running_ability(settings)
    used = "" if ability is None else ability.device.partition(";")[0].partition(",")[0]
    if ability is None or not used:
        yield note("device", "the worker has not tried it yet", "run `freeda doctor` again later")
    elif not ability.able:
        yield note("device", f"the worker takes no items now; it uses {ability.device}", "see what it says above")
    elif settings.device not in {"auto", used}:
        yield note("device", f"the worker uses {ability.device}, not {settings.device}", "restart it to change that")
    else:
        yield ok("device", f"{ability.device}, as the worker says")
        yield from _unused_card(settings, ability.device)
        encoders = encoder_precision(settings.precision)
        computing = Computing(used, encoders, encoders, settings.encoder_runtime)
        yield from precision_findings(computing, rounds=processor_rounds_to_bfloat16())


def _try_device(settings: Settings) -> Iterator[Finding]:
    """Try it here: a card may not hold two of the models, so only where no worker runs."""
    import torch  # noqa: PLC0415 - takes seconds

    computing = choose_computing(settings.device, settings.precision, settings.encoder_runtime)
    for tried in try_parts(settings):
        if tried.part in {"models", "device"} and not tried.works:
            yield wrong("device", tried.message, "see whether driver, torch and memory fit, or set another device")
            return
    memory = ""
    if computing.device.startswith("cuda"):
        free, total = torch.cuda.mem_get_info(torch.device(computing.device))
        memory = f"; {size_text(free)} of {size_text(total)} free"
    yield ok("device", f"{describe_computing(computing)}{memory}")
    yield from precision_findings(computing, rounds=processor_rounds_to_bfloat16())
    yield from _unused_card(settings, computing.device)


def precision_findings(computing: Computing, *, rounds: bool) -> Iterator[Finding]:
    """What the processor could do faster, or does slowly.

    Args:
        computing: how the models compute.
        rounds: whether the processor has instructions for bfloat16.
    """
    if computing.device != "cpu":
        return
    if computing.encoders in {"bfloat16", "float16"} and not rounds:
        yield note(
            "device",
            f"this processor has no instructions for bfloat16, so {computing.encoders} is slower than float32",
            "set precision to float32",
        )
    elif rounds and (computing.encoders, computing.runtime) == ("float32", "torch"):
        yield ok(
            "device",
            "float32; this processor has instructions for bfloat16: with FREEDA_PRECISION=bfloat16 and "
            "FREEDA_ENCODER_RUNTIME=openvino encoders take less than half the time, and masks differ a little "
            "(`freeda eval precision` says how much)",
        )


def _unused_card(settings: Settings, device: str) -> Iterator[Finding]:
    if _DRIVER.exists() and device.startswith("cpu") and settings.device == "auto":
        yield note(
            "device",
            f"there is an NVIDIA driver, but torch {version('torch')} does not see a GPU",
            "install a CUDA build of torch that fits the driver (pytorch.org says which)",
        )
