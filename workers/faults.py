"""Whose fault it is that an item was not done: the item's own, or that of the worker that ran it.

Only the item's own fault counts against it. A worker whose device, models, bank or folders do not work would otherwise
fail every item that waits (decision 21).
"""

import gc
import re
import sys
from dataclasses import dataclass
from typing import Any

from freeda_svc.artifacts import StorageUnavailableError
from freeda_svc.errors import FreedaError, one_line
from freeda_svc.jobs import MOVES, JobKind
from freeda_svc.jobs.claims import Claim, times_handed_back
from freeda_svc.workers.backoff import may_pass
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.trial import try_parts

DEVICE_FAILED = "the device failed"
"""Begins the reason of attempts that were handed back because of it."""
OTHERS_SHARE = 0.1
"""An item that runs out of a card's memory while other processes use a larger share than this is not to blame."""
_DEVICE_ERROR = re.compile(
    r"\b(CUDA|cuDNN|CUDNN|cuBLAS|CUBLAS|NCCL|HIP|MPS)\b.*(error|ERROR|failed|not ready)|_STATUS_"
)


@dataclass(frozen=True)
class Fault:
    """A fault of the worker that made an item fail.

    Attributes:
        reason: one line.
        renew: whether only another process can use the device again.
        inputs: whether the item needs copies of submitted images.
    """

    reason: str
    renew: bool = False
    inputs: bool = False


def fault_behind(error: Exception, resources: Resources, claim: Claim) -> Fault | None:
    """Find the fault of the worker behind an error; None when the item itself is to blame.

    Errors that name their cause are taken as they are. For all others the worker tries its parts: when all of them
    work, the item is to blame. So it is when the device works again in a new process, but fails with the same item
    ``max_attempts`` times.

    Args:
        error: what was raised while it was worked on.
        resources: models and banks of this process.
        claim: the item.
    """
    line = one_line(error)
    if claim.kind in MOVES and isinstance(error, FreedaError | OSError):
        # All others name a file that cannot be used, which the person who submitted the move should know.
        return Fault(line) if isinstance(error, StorageUnavailableError) else None
    if may_pass(error):
        return Fault(line)
    if _is_out_of_memory(error):
        return _memory_fault(line, resources.settings.device)
    if _is_device_error(error):
        often = times_handed_back(resources.settings, claim, DEVICE_FAILED) >= resources.settings.max_attempts
        return None if often else Fault(f"{DEVICE_FAILED}: {type(error).__name__}: {line}", renew=True)
    needs_inputs = claim.kind is not JobKind.INGEST
    broken = [
        tried.message for tried in try_parts(resources.settings, resources, inputs=needs_inputs) if not tried.works
    ]
    return Fault("; ".join(broken), inputs=needs_inputs) if broken else None


def is_over_time(error: BaseException | None) -> bool:
    """Whether the time limit is behind an error: it is raised anywhere, and libraries wrap what they do not know."""
    from celery.exceptions import SoftTimeLimitExceeded  # noqa: PLC0415 - commands that do it themselves lack a worker

    return error is not None and (
        isinstance(error, SoftTimeLimitExceeded) or is_over_time(error.__cause__ or error.__context__)
    )


def _is_out_of_memory(error: Exception) -> bool:
    torch = _torch()
    return isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))


def _is_device_error(error: Exception) -> bool:
    torch = _torch()
    if torch is not None and isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and _DEVICE_ERROR.search(str(error)) is not None


def _memory_fault(line: str, device: str) -> Fault | None:
    """Blame the item only where hardly anything else used the card."""
    gc.collect()
    torch = _torch()
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return Fault(f"out of memory: {line}")
    card = device if ":" in device else None  # or else the current one
    try:
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info(card)
        others = total - free - torch.cuda.memory_reserved(card)
    except RuntimeError as error:
        return Fault(f"{DEVICE_FAILED}: {type(error).__name__}: {error}", renew=True)
    return Fault(f"out of memory, of which others use some: {line}") if others > OTHERS_SHARE * total else None


def _torch() -> Any:  # noqa: ANN401 - mypy would want the module imported
    return sys.modules.get("torch")  # without it no device was used
