"""Reading the three models from the folders their own libraries write; weights come from safetensors only."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import open_clip
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers import AutoConfig, Dinov2Model, Dinov2WithRegistersModel
from transformers.utils import logging as transformers_logging

from freeda_svc.diffusion import Generator
from freeda_svc.encoders import DenseBackbone, ImageTextModel
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.packs.parameters import GenerationParameters

P = ParamSpec("P")
R = TypeVar("R")

_BACKBONES = {"dinov2": Dinov2Model, "dinov2_with_registers": Dinov2WithRegistersModel}
_IMAGE_TEXT_WEIGHTS = "open_clip_model.safetensors"

# loading a model is a moment of a larger task, which reports its own progress; and the libraries warn of much that is
# as it should be: a small autoencoder, no accelerate, captions cut off (which are counted here)
diffusers_logging.set_verbosity_error()
transformers_logging.set_verbosity_error()
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()


@contextmanager
def _root_logger_left_alone() -> Iterator[None]:
    """Keep open_clip, which logs through the root logger, from giving that logger a handler of its own."""
    silent = logging.NullHandler()
    logging.getLogger().addHandler(silent)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(silent)


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object")
    return content


def _in_one_line(read: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever a library raises over a folder it cannot read into one line that names the folder."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except FreedaError:
            raise
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"{args[0]} cannot be loaded as a model: {type(error).__name__}: {reason}") from error

    return reading


@_in_one_line
def read_generator(folder: Path, parameters: GenerationParameters, device: str) -> Generator:
    """Read a Stable Diffusion pipeline; it computes in half precision on an accelerator, else in single.

    Raises:
        InputError: the folder holds something else.
    """
    kind = _read_json(folder / "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        raise InputError(f"{folder} holds a {kind}, but a generator must be a StableDiffusionPipeline")
    pipeline = StableDiffusionPipeline.from_pretrained(
        str(folder),
        use_safetensors=True,
        local_files_only=True,
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    precision = torch.float32 if device == "cpu" else torch.float16
    return Generator(pipeline.to(device=device, dtype=precision), parameters)


@_in_one_line
def read_backbone(folder: Path, size: int, device: str) -> DenseBackbone:
    """Read a DINOv2 model, with or without register tokens, in single precision.

    Raises:
        InputError: the folder holds something else.
    """
    kind = AutoConfig.from_pretrained(str(folder), local_files_only=True).model_type
    if kind not in _BACKBONES:
        raise InputError(f"{folder} holds a {kind}, but a backbone must be one of {', '.join(_BACKBONES)}")
    model = _BACKBONES[kind].from_pretrained(
        str(folder), dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return DenseBackbone(model.to(device), size)


@_in_one_line
def read_image_text(folder: Path, size: int, device: str) -> ImageTextModel:
    """Read an open_clip model with its tokenizer, in single precision.

    Raises:
        InputError: the folder holds something else, or its weights are not safetensors.
    """
    if not (folder / _IMAGE_TEXT_WEIGHTS).is_file():
        raise InputError(f"{folder} has no {_IMAGE_TEXT_WEIGHTS}; weights are read from safetensors only")
    name = f"local-dir:{folder}"
    with _root_logger_left_alone():
        model = open_clip.create_model(name, precision="fp32", require_pretrained=True, force_image_size=size)
        tokenizer = open_clip.get_tokenizer(name)
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    return ImageTextModel(model.to(device), tokenizer, size, preprocessing["mean"], preprocessing["std"])
