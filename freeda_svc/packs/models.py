"""Reading the three models from the folders their own libraries write; weights come from safetensors only."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import diffusers
import open_clip
import torch
import transformers
from diffusers import ModelMixin, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, Dinov2Model, Dinov2WithRegistersModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from freeda_svc.diffusion import Generator
from freeda_svc.encoders import DenseBackbone, ImageTextModel
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.packs.description import Source
from freeda_svc.packs.parameters import GenerationParameters
from freeda_svc.packs.precision import Computing
from freeda_svc.text_files import read_text

P = ParamSpec("P")
R = TypeVar("R")

_BACKBONES = {"dinov2": Dinov2Model, "dinov2_with_registers": Dinov2WithRegistersModel}
_PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
_COMPONENTS = ("unet", "vae", "text_encoder", "text_encoder_2")
_LIBRARY_FAULTS = (
    OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, AssertionError, SafetensorError,
)  # fmt: skip
_RESIZED = "visual.positional_embedding"  # on purpose, where the pack asks for another image size
_IMAGE_TEXT_SETTINGS = "open_clip_config.json"
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
        content = json.loads(read_text(path))
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
        except _LIBRARY_FAULTS as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"{args[0]} cannot be loaded as a model: {type(error).__name__}: {reason}") from error

    return reading


@_in_one_line
def read_generator(folder: Path, parameters: GenerationParameters, computing: Computing) -> Generator:
    """Read a Stable Diffusion pipeline.

    Raises:
        InputError: the folder holds something else, or a checkpoint has not exactly its model's tensors.
    """
    index = _read_json(folder / "model_index.json")
    kind = index.get("_class_name")
    if kind not in _PIPELINES:
        raise InputError(f"{folder} holds a {kind}, but a generator must be a {' or '.join(_PIPELINES)}")
    precision = getattr(torch, computing.generator)
    parts = {name: _read_component(folder / name, index[name], precision) for name in _COMPONENTS if index.get(name)}
    unused = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    if kind == "StableDiffusionPipeline":
        pipeline = StableDiffusionPipeline.from_pretrained(
            str(folder), local_files_only=True, requires_safety_checker=False, **unused, **parts
        )
    else:
        pipeline = StableDiffusionXLPipeline.from_pretrained(
            str(folder), local_files_only=True, feature_extractor=None, image_encoder=None, **parts
        )
    return Generator(pipeline.to(computing.device), parameters)


def _read_component(folder: Path, kind: object, precision: torch.dtype) -> torch.nn.Module:
    """Read one model of a pipeline, whose index says which library and class it is."""
    library, name = kind if isinstance(kind, list) and len(kind) == len(("library", "class")) else ("", "")
    model: Any = getattr({"diffusers": diffusers, "transformers": transformers}.get(str(library)), str(name), None)
    if not isinstance(model, type) or not issubclass(model, ModelMixin | PreTrainedModel):
        raise InputError(f"{folder}: {kind} of model_index.json is no model of diffusers or transformers")
    named = {"dtype" if issubclass(model, PreTrainedModel) else "torch_dtype": precision}
    read: Any = model
    found, info = read.from_pretrained(
        str(folder), use_safetensors=True, local_files_only=True, output_loading_info=True, **named
    )
    _check_tensors(folder, info)
    component: torch.nn.Module = found
    return component


def _check_tensors(folder: Path, info: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that has not exactly its model's tensors; the libraries would make up what it lacks.

    Old checkpoints carry positions, which are counted and not learned; those may be there.
    """
    lacking = sorted(map(str, info["missing_keys"]))
    beyond = sorted(name for name in map(str, info["unexpected_keys"]) if not name.endswith("position_ids"))
    other = sorted(map(str, info["mismatched_keys"]))
    for names, what in ((lacking, "lacks the tensor"), (beyond, "has an unknown tensor"), (other, "has a misshapen")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"the checkpoint in {folder} {what} {names[0]}{more}; fetch or copy the pack again")


@_in_one_line
def read_backbone(folder: Path, size: int, computing: Computing) -> DenseBackbone:
    """Read a DINOv2 model, with or without register tokens.

    Raises:
        InputError: the folder holds something else, or the checkpoint has not exactly the model's tensors.
    """
    kind = AutoConfig.from_pretrained(str(folder), local_files_only=True).model_type
    if kind not in _BACKBONES:
        raise InputError(f"{folder} holds a {kind}, but a backbone must be one of {', '.join(_BACKBONES)}")
    model, info = _BACKBONES[kind].from_pretrained(
        str(folder),
        dtype=getattr(torch, computing.encoders),
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    _check_tensors(folder, info)
    return DenseBackbone(model.to(computing.device), size)


@_in_one_line
def read_image_text(folder: Path, size: int, computing: Computing, source: Source) -> ImageTextModel:
    """Read an open_clip model with its tokenizer; open_clip's own is used where the folder names none.

    Raises:
        InputError: the folder holds something else, its weights are not safetensors or not exactly the model's
            tensors, or the model would compute with another activation than it was trained with.
    """
    if not (folder / _IMAGE_TEXT_WEIGHTS).is_file():
        raise InputError(f"{folder} has no {_IMAGE_TEXT_WEIGHTS}; weights are read from safetensors only")
    _check_activation(folder, source)
    name = f"local-dir:{folder}"
    with _root_logger_left_alone():
        model = open_clip.create_model(name, precision="fp32", require_pretrained=True, force_image_size=size)
        tokenizer = open_clip.get_tokenizer(name)
    _check_shapes(folder / _IMAGE_TEXT_WEIGHTS, model)
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    model = model.to(device=computing.device, dtype=getattr(torch, computing.encoders))
    return ImageTextModel(model, tokenizer, size, preprocessing["mean"], preprocessing["std"])


def _check_shapes(checkpoint: Path, model: torch.nn.Module) -> None:
    """Refuse tensors that open_clip fitted to the model: it interpolates positions where their number differs."""
    shapes = {name: list(value.shape) for name, value in model.state_dict().items() if value.ndim}
    with safe_open(str(checkpoint), framework="pt") as file:
        for name in sorted(shapes.keys() & set(file.keys()) - {_RESIZED}):
            found = file.get_slice(name).get_shape()
            if found != shapes[name]:
                raise InputError(
                    f"the checkpoint in {checkpoint.parent} has the tensor {name} in the shape {found}, "
                    f"not {shapes[name]}; fetch or copy the pack again"
                )


def _check_activation(folder: Path, source: Source) -> None:
    """Refuse a configuration with another activation than the weights' own: they would load, and be wrong.

    OpenAI's own weights were trained with the quick approximation of GELU, and open_clip's plain configurations of
    the same sizes compute with the exact one.
    """
    settings = _read_json(folder / _IMAGE_TEXT_SETTINGS).get("model_cfg")
    found = "quick_gelu" if isinstance(settings, dict) and settings.get("quick_gelu") else "gelu"
    expected = source.activation
    if not expected and "openai" in f"{source.repository} {source.origin}".lower():
        expected = "quick_gelu"
    if expected and found != expected:
        raise InputError(
            f"{folder / _IMAGE_TEXT_SETTINGS} computes with {found}, but these weights were trained with {expected}: "
            f"use a configuration with quick_gelu {'true' if expected == 'quick_gelu' else 'false'}"
        )
