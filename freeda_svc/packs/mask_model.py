"""Reading a mask generator (SAM 2, SAM 3) from the folder that transformers writes; weights from safetensors only."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Sam2Model, Sam3TrackerModel

from freeda_svc.encoders import IMAGENET_MEAN, IMAGENET_STD, MaskGenerator
from freeda_svc.errors import InputError
from freeda_svc.packs.backbone_model import read_normalisation
from freeda_svc.packs.model_files import check_tensors, in_one_line, read_json
from freeda_svc.packs.precision import Computing

_HALF = (0.5, 0.5, 0.5)
_MODELS: Mapping[str, tuple[Any, tuple[float, ...], tuple[float, ...]]] = {
    "sam2": (Sam2Model, IMAGENET_MEAN, IMAGENET_STD),
    "sam2_video": (Sam2Model, IMAGENET_MEAN, IMAGENET_STD),
    "sam3_tracker": (Sam3TrackerModel, _HALF, _HALF),
    "sam3_video": (Sam3TrackerModel, _HALF, _HALF),
}
"""By the kind of their configuration, with the usual mean and standard deviation of the colours. The published
checkpoints are of the video models, which hold the image models. The model that finds a word's masks (``sam3`` alone)
is asked with words and not with points."""


@in_one_line
def read_mask_generator(folder: Path, computing: Computing) -> MaskGenerator:
    """Read a SAM 2 model, or the part of a SAM 3 model that answers points.

    Raises:
        InputError: the folder holds something else, or the checkpoint has not exactly the model's tensors.
    """
    kind = str(read_json(folder / "config.json").get("model_type"))
    if kind not in _MODELS:
        raise InputError(f"{folder} holds a {kind}, but a mask generator must be one of {', '.join(_MODELS)}")
    library, mean, std = _MODELS[kind]
    model, info = library.from_pretrained(
        str(folder),
        dtype=getattr(torch, computing.weights),
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    check_tensors(folder, info)
    usual = read_normalisation(folder, mean, std)
    return MaskGenerator(model.to(computing.device), *usual)
