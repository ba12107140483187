"""Python loads this in every process of the service that the tests start: the places where a test can interfere.

Modules are changed right after they are imported, so processes that do not need them stay as light as they are.
"""

import importlib.abc
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import interference

CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "freeda_svc.whole_files": interference.halt_between_writing_and_placing,
    "freeda_svc.bank.qdrant.edge": interference.halt_before_a_batch_is_written,
    "freeda_svc.bank.qdrant.server": interference.halt_before_a_batch_is_announced,
    "freeda_svc.diffusion.observed": interference.halt_amid_denoising,
    "freeda_svc.jobs.claims": interference.halt_around_recording,
    "freeda_svc.jobs.dispatch": interference.halt_before_sending,
    "freeda_svc.jobs.tables": interference.shift_recorded_times,
}


def _use_quick_models(module: ModuleType) -> None:
    import quick_models  # noqa: PLC0415 - it needs numpy, which most processes do without

    quick_models.use_in(module)


if os.environ["DISTURBED_MODELS"] == "quick":
    CHANGES["freeda_svc.workers.resources"] = _use_quick_models


class Changer(importlib.abc.MetaPathFinder):
    """Finds modules as they are found without it, and has some of them changed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(found for finder in others if (found := finder.find_spec(name, path, target)) is not None)
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            CHANGES[name](module)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Changer())
interference.shift_clock()
