"""Trying what a worker needs, each part with the smallest input: device, models, bank, folders.

The working process does it before its first item and after every fault; ``freeda doctor`` does the same.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from freeda_svc.artifacts import open_artifacts, probe_folder
from freeda_svc.counts import counted
from freeda_svc.errors import BusyError, FreedaError, NotFoundError, UnavailableError, one_line
from freeda_svc.jobs.input_images import INPUTS
from freeda_svc.jobs.results import RESULTS
from freeda_svc.packs import describe_computing, read_pack_parameters
from freeda_svc.settings import Settings
from freeda_svc.workers.resources import Resources


@dataclass(frozen=True)
class Tried:
    """The result of trying a part.

    Attributes:
        part: ``models``, ``device``, ``bank`` or ``folders``.
        works: whether it does.
        message: one line: how it is, or what is wrong and what to do.
        passes: it does not work, but may do so later without anybody's help: a server is away, another process holds
            the bank.
    """

    part: str
    works: bool
    message: str
    passes: bool = False


def try_parts(
    settings: Settings,
    resources: Resources | None = None,
    *,
    generator: bool = False,
    inputs: bool = False,
    warm: bool = False,
) -> list[Tried]:
    """Try device, models, bank and folders: a forward pass of the smallest image and text, one search, one file.

    Args:
        settings: the installation.
        resources: what this process has loaded; models and bank are opened and closed again without it.
        generator: whether the text-to-image model is also loaded and tried; otherwise only its files are checked.
        inputs: whether the copies of submitted images must exist, because items need them.
        warm: whether, when all parts work, an image is segmented for warming up, so that the first item does not wait.

    Returns:
        What was found, in this order; parts that depend on a broken one are left out.
    """
    if resources is None:
        with closing(Resources(settings)) as own:
            return try_parts(settings, own, generator=generator, inputs=inputs, warm=warm)
    found = [_tried("models", lambda: _describe_pack(settings))]
    if found[0].works:
        found.append(_tried("device", lambda: describe_computing(resources.pack.computing)))
        if found[-1].works:
            found[0] = _tried("models", lambda: _try_models(resources, generator=generator))
    found.append(_tried("bank", lambda: _try_bank(resources)))
    found.append(_tried("folders", lambda: _try_folders(settings, inputs=inputs)))
    if warm and all(tried.works for tried in found):
        from freeda_svc.workers.warming import warm_up  # noqa: PLC0415 - brings the method

        warm_up(resources)
    return found


def _tried(part: str, attempt: Callable[[], str]) -> Tried:
    try:
        return Tried(part, works=True, message=attempt())
    except (BusyError, UnavailableError) as error:
        return Tried(part, works=False, message=one_line(error), passes=True)
    except FreedaError as error:
        return Tried(part, works=False, message=one_line(error))
    except OSError as error:
        return Tried(part, works=False, message=f"{error.filename or part}: {error.strerror or error}", passes=True)
    except Exception as error:  # noqa: BLE001 - whatever a library raises says that the part cannot be used
        return Tried(part, works=False, message=f"{type(error).__name__}: {one_line(error)}")


def _describe_pack(settings: Settings) -> str:
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    return f"pack {pack.name}"


def _try_models(resources: Resources, *, generator: bool) -> str:
    resources.try_models(generator=generator)
    return f"pack {resources.pack.name} computes on {resources.pack.device}"


def _try_bank(resources: Resources) -> str:
    """Open the default bank, and search it."""
    import numpy as np  # noqa: PLC0415 - the worker above the working process does without it

    try:
        bank = resources.banks.resolve(resources.settings.bank)
    except NotFoundError:
        return "there is none yet"
    was_open = resources.is_open(bank)
    store = resources.existing_bank(bank)
    try:
        count = store.count()
        if count:
            store.nearest(np.ones((1, store.key_dimension), dtype=np.float32), 1)
    finally:
        if not was_open:  # until an item needs it, a command may open it
            resources.let_go(bank)
    return f"{bank}, {counted(count, 'prototype')}"


def _try_folders(settings: Settings, *, inputs: bool) -> str:
    """Write where items write, and see that the images they read are there."""
    artifacts = open_artifacts(settings)
    artifacts.try_out()
    probe_folder(settings.home)
    if not settings.artifacts_on_s3:
        folder = artifacts.folder
        if inputs and not (folder / INPUTS).is_dir():
            raise UnavailableError(f"the folder of submitted images {folder / INPUTS} is gone: mount or restore it")
        if (folder / RESULTS).is_dir():
            probe_folder(folder / RESULTS)
    return f"{artifacts.place} can be written"
