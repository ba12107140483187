"""Reading a generator from the folder that its own library writes; weights come from safetensors only."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import ModelMixin
from diffusers.utils import logging as diffusers_logging
from transformers import PreTrainedModel

from freeda_svc.diffusion import PIPELINES, Generator
from freeda_svc.errors import InputError
from freeda_svc.packs.model_files import check_tensors, check_words, in_one_line, read_json
from freeda_svc.packs.precision import Computing
from freeda_svc.parameters import GenerationParameters

_COMPONENT = re.compile(r"unet|transformer|vae|text_encoder(_\d)?")
_CONVOLUTIONAL = frozenset({"unet", "vae"})
_UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
_SPARED = ("text_encoder_3", "tokenizer_3")

# as in `model_files`
diffusers_logging.set_verbosity_error()
diffusers_logging.disable_progress_bar()


@in_one_line
def read_generator(folder: Path, parameters: GenerationParameters, computing: Computing) -> Generator:
    """Read a pipeline of Stable Diffusion or of one of the known families of transformers.

    Raises:
        InputError: the folder holds something else, or a checkpoint has not exactly its model's tensors.
    """
    index = read_json(folder / "model_index.json")
    kind = index.get("_class_name")
    if kind not in PIPELINES:
        raise InputError(f"{folder} holds a {kind}, but a generator must be a {' or '.join(PIPELINES)}")
    precision = getattr(torch, computing.generator)
    parts = {
        name: _read_component(folder / name, found, precision) if used else None
        for name, found, used in _components(folder, index)
    }
    others = {"requires_safety_checker": False} if kind == "StableDiffusionPipeline" else {}
    pipeline = getattr(diffusers, kind).from_pretrained(str(folder), local_files_only=True, **others, **parts)
    for name, part in pipeline.components.items():
        if name.startswith("tokenizer") and part is not None:
            check_words(folder / name, getattr(part, "tokenizer", part))  # or a processor that has one
    pipeline = pipeline.to(computing.device)
    if computing.channels_last:
        for name in _CONVOLUTIONAL & pipeline.components.keys():
            getattr(pipeline, name).to(memory_format=torch.channels_last)
    return Generator(pipeline, parameters)


def _components(folder: Path, index: Mapping[str, object]) -> Iterator[tuple[str, object, bool]]:
    """Yield name and kind of each part of a pipeline that is read or left out here, and whether it is read.

    Left out are parts that nothing is generated with, those that the index says are not there, and SD 3's third text
    encoder with its tokenizer where the folder has none: that model does without.
    """
    for name, found in index.items():
        left_out = name in _UNUSED or found == [None, None] or (name in _SPARED and not (folder / name).is_dir())
        if left_out or _COMPONENT.fullmatch(name):
            yield name, found, not left_out and found is not None


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
    check_tensors(folder, info)
    component: torch.nn.Module = found
    return component
