"""Are the models and the banks there, do they belong together, and what computes them?"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from freeda_svc.cli.console import size_text
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs.banks import open_banks
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.packs.manifest import check_files
from freeda_svc.packs.precision import choose_computing
from freeda_svc.settings import Settings

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
    yield ok("models", f"pack {pack.name}, {len(pack.files)} files, {size_text(size)}, {pack.fingerprint}")


def look_at_bank(settings: Settings) -> Iterator[Finding]:
    """Is the bank there, and of the pack?"""
    with closing(open_banks(settings)) as banks:
        summaries = banks.summaries()
        try:
            meant = banks.resolve(settings.bank)
        except NotFoundError as error:
            yield note("bank", str(error).partition(":")[0], "run `freeda ingest FILE`, or `freeda bank create NAME`")
            return
    bank = next(summary for summary in summaries if summary.bank == meant)
    yield ok("bank", f"{meant}, {bank.prototypes:,} prototypes" + _others(len(summaries) - 1))
    try:
        pack = read_pack_parameters(settings.pack, settings.packs_folder)
    except NotFoundError:
        return
    if bank.pack != pack.fingerprint:
        yield wrong(
            "bank",
            f"{meant} was made with pack {bank.pack}, but the pack in use, {pack.name}, is {pack.fingerprint}",
            "set FREEDA_PACK to the bank's pack, or FREEDA_BANK to a bank of this one",
        )


def _others(count: int) -> str:
    return f"; {count} other version{'' if count == 1 else 's'} of banks" if count else ""


def look_at_device(settings: Settings) -> Iterator[Finding]:
    """Can it be computed on, and is it the one that was meant?"""
    import torch  # noqa: PLC0415 - takes seconds

    computing = choose_computing(settings.device, settings.precision)
    device = torch.device(computing.device)
    precision = f"generator in {computing.generator}, encoders in {computing.encoders}"
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        memory = f"{size_text(free)} of {size_text(total)} free"
        yield ok("device", f"{computing.device}, {torch.cuda.get_device_name(device)}, {memory}; {precision}")
        return
    cores = f", {os.cpu_count()} cores" if device.type == "cpu" else ""
    yield ok("device", f"{computing.device}{cores}; {precision}")
    if _DRIVER.exists() and device.type == "cpu" and settings.device == "auto":
        yield note(
            "device",
            f"there is an NVIDIA driver, but torch {torch.__version__} does not see a GPU",
            "install a CUDA build of torch that fits the driver (pytorch.org says which)",
        )
