"""Where models compute and in which precision: as asked, or as the machine allows."""

import os
from dataclasses import dataclass
from typing import Literal

from freeda_svc.errors import InputError

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Computing:
    """How a pack's models compute.

    Attributes:
        device: torch's name of a device.
        generator: torch's name of the text-to-image model's precision.
        encoders: that of the backbone and the image-text model.
    """

    device: str
    generator: str
    encoders: str


def choose_computing(device: str, precision: str) -> Computing:
    """Choose device and precision.

    By themselves, a GPU generates in bfloat16 (float16 where it lacks that), as the fifty steps cost most and
    attention is summed in float32 anyway. The encoders stay in float32: their vectors are what a bank keeps and
    compares, the keys of one noun differ little, and they cost little beside the generator.

    Args:
        device: ``auto`` or torch's name, such as ``cpu``, ``cuda:1`` or ``mps``.
        precision: one of ``PRECISIONS``; one that is named holds for all models.

    Raises:
        InputError: the device cannot be used here, or the precision is none or not the device's.
    """
    if precision not in PRECISIONS:
        raise InputError(f"the precision must be one of {', '.join(PRECISIONS)}, not '{precision}'")
    if device == "auto":
        device = _best_device()
    chosen: str = precision
    if precision == "auto":
        chosen = "float32" if device == "cpu" else _half(device)
    if device != "cpu" or precision != "auto":
        check_device(device, chosen)
    return Computing(device=device, generator=chosen, encoders="float32" if precision == "auto" else precision)


def describe_computing(computing: Computing) -> str:
    """Return one line on what computes and how: ``cuda, NVIDIA A100; generator in bfloat16, encoders in float32``."""
    hardware = ""
    if computing.device.startswith("cuda"):
        import torch  # noqa: PLC0415

        hardware = f", {torch.cuda.get_device_name(torch.device(computing.device))}"
    elif computing.device == "cpu":
        hardware = f", {os.cpu_count()} cores"
    return f"{computing.device}{hardware}; generator in {computing.generator}, encoders in {computing.encoders}"


def _best_device() -> str:
    import torch  # noqa: PLC0415  (takes seconds)

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _half(device: str) -> str:
    import torch  # noqa: PLC0415

    if device.startswith("cuda") and torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return "bfloat16"
    return "float16"


def check_device(device: str, precision: str) -> None:
    """Multiply two numbers on a device.

    Raises:
        InputError: it cannot be used in this precision.
    """
    import torch  # noqa: PLC0415

    try:
        one = torch.ones(1, 1, device=device, dtype=getattr(torch, precision))
        (one @ one).float().sum().item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the device '{device}' cannot be used here in {precision} ({reason}); use cpu, or another precision"
        ) from error
