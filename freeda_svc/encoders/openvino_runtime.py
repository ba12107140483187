"""Image encoders on a processor by OpenVINO, which uses its matrix instructions better than torch does.

Only what sees images is compiled: texts stay with torch in full precision, so that the keys of a bank do not depend on
the runtime.
"""

import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import torch

from freeda_svc.encoders.images import Forward
from freeda_svc.errors import UnavailableError

if TYPE_CHECKING:
    from openvino import Core

CompiledPrecision: TypeAlias = Literal["float32", "bfloat16"]

NOT_INSTALLED = (
    "the runtime openvino is not installed: pip install 'freeda-svc[openvino]', or set encoder_runtime to torch"
)
_HINTS: dict[CompiledPrecision, str] = {"float32": "f32", "bfloat16": "bf16"}
_TRACED_BATCH = 2


def compile_encoder(model: torch.nn.Module, side: int, *, precision: CompiledPrecision) -> Forward:
    """Compile the forward pass of an image encoder for this processor.

    Args:
        model: takes (B, 3, side, side) float32 and returns one tensor; its weights are float32, and are copied.
        side: of the images, pixels. The number of images is free.
        precision: in which the processor is to multiply.

    Returns:
        The forward pass, float32 in and out. It may be called by one thread at a time.

    Raises:
        UnavailableError: OpenVINO is not installed, or the processor has no instructions for the precision.
    """
    core = _core()
    if precision == "bfloat16" and not computes_bfloat16(core):
        raise UnavailableError(
            "this processor has no instructions for bfloat16 (AVX-512 BF16 or AMX): set precision to float32"
        )
    converted = _convert(model, side)
    compiled = core.compile_model(
        converted,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        },
    )
    request = compiled.create_infer_request()

    def forward(images: torch.Tensor) -> torch.Tensor:
        given = images.contiguous().numpy()
        answer = request.infer([given], share_inputs=True)
        return torch.from_numpy(next(iter(answer.values())).copy())

    return forward


def computes_bfloat16(core: "Core | None" = None) -> bool:
    """Whether OpenVINO finds instructions for bfloat16 in this processor.

    Raises:
        UnavailableError: it is not installed.
    """
    return "BF16" in cast("list[str]", (core or _core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _core() -> "Core":
    return cast("Core", _library().Core())


def _library() -> ModuleType:
    """Import OpenVINO without its reports: else each import sends an event to its makers, and nobody was asked."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast("ModuleType", None)  # not to be found; OpenVINO does without
    try:
        import openvino  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UnavailableError(NOT_INSTALLED) from error
    return cast("ModuleType", openvino)


def _convert(model: torch.nn.Module, side: int) -> Any:  # noqa: ANN401 - a model of OpenVINO
    example = torch.zeros(_TRACED_BATCH, 3, side, side)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is announced as outdated, and warns of every check of a shape
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            model.eval(), example, check_trace=False, strict=False
        )
        converted = _library().convert_model(traced, example_input=example, share_weights=False)
    converted.reshape([-1, 3, side, side])
    return converted
