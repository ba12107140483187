"""Device and precision of a pack's models: those of the settings, or the best that the machine has."""

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from freeda_svc.errors import InputError
from freeda_svc.parameters import wrong_value

if TYPE_CHECKING:
    from freeda_svc.encoders import Compiler

Precision = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16", "float16")
Runtime = Literal["torch", "openvino"]
RUNTIMES: tuple[Runtime, ...] = ("torch", "openvino")


@dataclass(frozen=True)
class Computing:
    """How a pack's models compute.

    Attributes:
        device: torch's name of a device.
        generator: torch's name of the text-to-image model's precision.
        encoders: that of the backbone and the image-text model; by OpenVINO, of what they do with images only.
        runtime: what computes the encoders' forward passes over images.
        channels_last: whether convolutions of the generator read pixels before channels.
        windows_at_once: how many windows go through the encoders together; 0 is by their sizes and the device.
    """

    device: str
    generator: str
    encoders: str
    runtime: Runtime = "torch"
    channels_last: bool = False
    windows_at_once: int = 0

    @property
    def weights(self) -> str:
        """Torch's name of the precision in which the encoders' weights are read; OpenVINO rounds them itself."""
        return self.encoders if self.runtime == "torch" else "float32"


def choose_computing(device: str, precision: str, runtime: str = "torch") -> Computing:
    """Choose device and precision.

    By themselves, a GPU generates in bfloat16 (float16 where it lacks that), as the fifty steps cost most and
    attention is summed in float32 anyway. The encoders stay in float32: their vectors are what a bank keeps and
    compares, the keys of one noun differ little, and they cost little beside the generator.

    Args:
        device: ``auto`` or torch's name, such as ``cpu``, ``cuda:1`` or ``mps``.
        precision: one of ``PRECISIONS``; one that is named holds for all models.
        runtime: one of ``RUNTIMES``; OpenVINO computes on processors only, in float32 or bfloat16.

    Raises:
        InputError: the device cannot be used here, the precision is none or not the device's, or the runtime is none
            or does not go with them.
    """
    if runtime not in RUNTIMES:
        raise InputError(f"the runtime of the encoders must be one of {', '.join(RUNTIMES)}, not '{runtime}'")
    if precision not in PRECISIONS:
        raise InputError(wrong_value("precision", precision, f"one of {', '.join(PRECISIONS)}"))
    if device == "auto":
        device = _best_device()
    chosen: str = precision
    if precision == "auto":
        chosen = "float32" if device == "cpu" else _half(device)
    if device != "cpu" or precision != "auto":
        check_device(device, chosen)
    encoders = encoder_precision(precision)
    if runtime == "openvino" and (device != "cpu" or encoders not in {"float32", "bfloat16"}):
        raise InputError(
            f"OpenVINO computes on the device cpu in float32 or bfloat16, not on {device} in {encoders}: "
            "set encoder_runtime to torch, or device and precision to these"
        )
    return Computing(device=device, generator=chosen, encoders=encoders, runtime=runtime)


def encoder_precision(precision: str) -> str:
    """In which precision the encoders compute that is called so in settings; ``auto`` leaves them in float32."""
    return "float32" if precision == "auto" else precision


def describe_encoders(computing: Computing) -> dict[str, str]:
    """What results say of how their features were computed: ``device``, ``precision`` and ``runtime``."""
    return {"device": computing.device, "precision": computing.encoders, "runtime": computing.runtime}


def encoder_compiler(computing: Computing) -> "Compiler | None":
    """What compiles the encoders' forward passes over images; None where torch computes them as they are."""
    if computing.runtime == "torch":
        return None
    from freeda_svc.encoders.openvino_runtime import CompiledPrecision, compile_encoder  # noqa: PLC0415 - brings torch

    return partial(compile_encoder, precision=cast("CompiledPrecision", computing.encoders))


def describe_computing(computing: Computing) -> str:
    """Return one line on what computes and how: ``cuda, NVIDIA A100; generator in bfloat16, encoders in float32``."""
    hardware = ""
    if computing.device.startswith("cuda"):
        import torch  # noqa: PLC0415

        hardware = f", {torch.cuda.get_device_name(torch.device(computing.device))}"
    elif computing.device == "cpu":
        hardware = f", {os.cpu_count()} cores"
    by = " by OpenVINO" if computing.runtime == "openvino" else ""
    return f"{computing.device}{hardware}; generator in {computing.generator}, encoders in {computing.encoders}{by}"


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


def processor_rounds_to_bfloat16(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor has instructions for bfloat16 (AVX-512 BF16 or AMX); False where that is not known.

    Args:
        facts: what Linux says of the processor.
    """
    try:
        return re.search(r"\b(avx512_bf16|amx_bf16)\b", facts.read_text()) is not None
    except OSError:
        return False


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
