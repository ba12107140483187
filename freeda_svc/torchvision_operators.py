"""Make ``import torchvision`` work where its build does not match the installed torch.

The torchvision wheels of the package index are built for CUDA. Beside a CPU-only torch their compiled
operators do not load, and ``import torchvision`` stops at ``operator torchvision::nms does not exist``;
transformers, diffusers and open_clip stop with it, although none of them calls these operators here.
Declaring the two operator schemas before that import is enough. Where the pair matches, the compiled
operators are registered by torchvision itself and nothing is declared.

Importing this module does the work, so that a package can name it first in its ``__init__``.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # nothing to repair: torchvision is not there at all
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            continue
        return True
    return False


def declare_missing_operators() -> bool:
    """Declare torchvision's ``nms`` and ``qnms`` schemas when its compiled operators cannot be loaded.

    Returns:
        True when the schemas were declared, False when there was nothing to repair.
    """
    if _compiled_operators_load() or hasattr(torch.ops.torchvision, "nms"):
        return False
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _keep_alive.append(library)
    return True


_keep_alive: list[torch.library.Library] = []  # a Library takes its schemas with it when collected
declare_missing_operators()
