"""Reading a dense backbone from the folder that its own library writes; weights come from safetensors only."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
from pathlib import Path
from typing import Any

import torch
from transformers import Dinov2Model, Dinov2WithRegistersModel, DINOv3ViTModel

from freeda_svc.encoders import IMAGENET_MEAN, IMAGENET_STD, DenseBackbone
from freeda_svc.errors import InputError
from freeda_svc.packs.model_files import check_tensors, in_one_line, read_json
from freeda_svc.packs.precision import Computing, encoder_compiler

_BACKBONES: dict[str, Any] = {
    "dinov2": Dinov2Model,
    "dinov2_with_registers": Dinov2WithRegistersModel,
    "dinov3_vit": DINOv3ViTModel,
}
_NORMALISATION, _PROCESSOR = "preprocessor_config.json", "processor_config.json"


@in_one_line
def read_backbone(folder: Path, size: int, computing: Computing) -> DenseBackbone:
    """Read a DINOv2 model, with or without register tokens, or a DINOv3 model.

    Images are normalised as its ``preprocessor_config.json`` says, where there is one, else as for ImageNet.

    Raises:
        InputError: the folder holds something else, the checkpoint has not exactly the model's tensors, or the size
            is no multiple of the model's patches.
    """
    kind = str(read_json(folder / "config.json").get("model_type"))
    if kind not in _BACKBONES:
        raise InputError(f"{folder} holds a {kind}, but a backbone must be one of {', '.join(_BACKBONES)}")
    mean, std = read_normalisation(folder)
    model, info = _BACKBONES[kind].from_pretrained(
        str(folder),
        dtype=getattr(torch, computing.weights),
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    check_tensors(folder, info)
    return DenseBackbone(model.to(computing.device), size, mean, std, encoder_compiler(computing))


def read_normalisation(
    folder: Path, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of the channels that a model was trained with; satellites have others.

    Args:
        folder: of the model, where its ``preprocessor_config.json`` says, or its ``processor_config.json``.
        mean: where neither is there.
        std: as above.

    Raises:
        InputError: what is there are not three usable numbers.
    """
    path = folder / _NORMALISATION
    content = read_json(path) if path.is_file() else {}
    if not content and (folder / _PROCESSOR).is_file():
        path = folder / _PROCESSOR
        content = read_json(path).get("image_processor") or {}
    found = [content.get(key, usual) for key, usual in (("image_mean", mean), ("image_std", std))]
    for values in found:
        usable = isinstance(values, list | tuple) and len(values) == len(IMAGENET_MEAN)
        if not usable or not all(isinstance(value, int | float) and 0 < value <= 1 for value in values):
            raise InputError(f"{path}: image_mean and image_std must be three numbers above 0 and at most 1 each")
    return tuple(map(float, found[0])), tuple(map(float, found[1]))
