"""Reading the image-text model from a folder in open_clip's layout: CLIP, SigLIP 2, PE-Core."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import safe_open

from freeda_svc.encoders import ImageTextModel, Interpolation
from freeda_svc.errors import InputError
from freeda_svc.packs.model_files import check_words, in_one_line, read_json
from freeda_svc.packs.precision import Computing, encoder_compiler
from freeda_svc.parameters import Source

_SETTINGS = "open_clip_config.json"
_WEIGHTS = "open_clip_model.safetensors"
_RESIZED = frozenset({"visual.positional_embedding", "visual.trunk.pos_embed"})
"""On purpose, where the pack asks for another image size."""
_TOKENIZER_OPTIONS = frozenset({"clean", "strip_sep_token"})
"""Those of published models. What else is there goes on to transformers, which may run a pack's own code."""


@in_one_line
def read_image_text(folder: Path, size: int, computing: Computing, source: Source) -> ImageTextModel:
    """Read an open_clip model with its tokenizer; open_clip's own is used where the folder names none.

    Raises:
        InputError: the folder holds something else, its weights are not safetensors or not exactly the model's
            tensors, the model would compute with another activation than it was trained with, its tokenizer writes
            texts in another way, or the size is no multiple of its patches.
    """
    if not (folder / _WEIGHTS).is_file():
        raise InputError(f"{folder} has no {_WEIGHTS}; weights are read from safetensors only")
    settings = read_json(folder / _SETTINGS).get("model_cfg")
    if not isinstance(settings, dict):
        raise InputError(f"{folder / _SETTINGS} has no table model_cfg, so it is no model of open_clip")
    _check_kind(folder / _SETTINGS, settings)
    _check_activation(folder / _SETTINGS, settings, source)
    _check_bias(folder, settings)
    name = f"local-dir:{folder}"
    with _root_logger_left_alone():
        model = open_clip.create_model(name, precision="fp32", require_pretrained=True, force_image_size=size)
        tokenizer = _read_tokenizer(folder, settings)
    _check_shapes(folder / _WEIGHTS, model)
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    interpolation: Interpolation = "bilinear" if preprocessing.get("interpolation") == "bilinear" else "bicubic"
    model = model.to(device=computing.device, dtype=getattr(torch, computing.weights))
    return ImageTextModel(
        model,
        tokenizer,
        size,
        preprocessing["mean"],
        preprocessing["std"],
        interpolation=interpolation,
        compiler=encoder_compiler(computing),
    )


@contextmanager
def _root_logger_left_alone() -> Iterator[None]:
    """Keep open_clip, which logs through the root logger, from giving that logger a handler of its own."""
    silent = logging.NullHandler()
    logging.getLogger().addHandler(silent)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(silent)


def _halves(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the image encoder and of the text encoder; empty where they are none."""
    image, text = settings.get("vision_cfg"), settings.get("text_cfg")
    return (image if isinstance(image, dict) else {}), (text if isinstance(text, dict) else {})


def _check_kind(path: Path, settings: dict[str, Any]) -> None:
    """Refuse settings whose model would be looked up on the hub, or is none that compares texts with images."""
    image, text = _halves(settings)
    if "multimodal_cfg" in settings:
        raise InputError(f"{path} describes a model that writes captions; an image-text model has no multimodal_cfg")
    if "hf_model_name" in text:
        raise InputError(
            f"{path} names the text encoder {text['hf_model_name']}, whose settings are not in the pack: "
            "an image-text model needs a text encoder of open_clip's own, as CLIP, SigLIP 2 and PE-Core have"
        )
    if ":" in str(image.get("timm_model_name", "")):
        raise InputError(f"{path} names the image encoder {image['timm_model_name']}, which is not in the pack")


def _check_activation(path: Path, settings: dict[str, Any], source: Source) -> None:
    """Refuse a configuration with another activation than the weights' own: they would load, and be wrong.

    OpenAI's own weights were trained with the quick approximation of GELU, and open_clip's plain configurations of
    the same sizes compute with the exact one. SigLIP's text encoders were trained with the tanh approximation.
    """
    image, text = _halves(settings)
    if settings.get("quick_gelu") and "timm_model_name" in image:
        raise InputError(
            f"{path} asks for quick_gelu, but an image encoder of timm computes with the exact GELU all the same: "
            "leave quick_gelu out"
        )
    tanh = isinstance(text.get("act_kwargs"), dict) and text["act_kwargs"].get("approximate") == "tanh"
    found = "quick_gelu" if settings.get("quick_gelu") else "gelu_tanh" if tanh else "gelu"
    expected = source.activation
    if not expected and "openai" in f"{source.repository} {source.origin}".lower():
        expected = "quick_gelu"
    if expected and found != expected:
        hint = f"quick_gelu {'true' if expected == 'quick_gelu' else 'false'}"
        if "gelu_tanh" in {found, expected}:
            hint = f"{'' if expected == 'gelu_tanh' else 'no '}act_kwargs of approximate tanh for the text"
        raise InputError(
            f"{path} computes with {found}, but these weights were trained with {expected}: "
            f"use a configuration with {hint}"
        )


def _check_bias(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse weights without the bias of a sigmoid that the settings have, which open_clip would make up, or with one.

    Embeddings do not depend on it, but weights and settings that differ in it are of different models.
    """
    with safe_open(str(folder / _WEIGHTS), framework="pt") as file:
        there = "logit_bias" in file.keys()  # noqa: SIM118  (no dictionary)
    if there != (settings.get("init_logit_bias") is not None):
        has, lacks = (_WEIGHTS, _SETTINGS) if there else (_SETTINGS, _WEIGHTS)
        raise InputError(
            f"{folder}: {has} has the bias of a sigmoid, as SigLIP does, and {lacks} has none: "
            "they do not belong together; fetch or copy the pack again"
        )


def _read_tokenizer(folder: Path, settings: dict[str, Any]) -> Any:  # noqa: ANN401  (open_clip has no types)
    """Read the tokenizer, and refuse one that writes texts in another way than these models have learned.

    Without ``padding_side`` in its settings, Gemma's tokenizer, which SigLIP 2 uses, fills up on the left, and
    SigLIP reads its answer at the last place.
    """
    _, text = _halves(settings)
    options = text.get("tokenizer_kwargs") or {}
    unknown = sorted(set(options) - _TOKENIZER_OPTIONS)
    if unknown:
        raise InputError(
            f"{folder / _SETTINGS}: text_cfg.tokenizer_kwargs.{unknown[0]} is not taken; "
            f"expected {', '.join(sorted(_TOKENIZER_OPTIONS))}"
        )
    if not text.get("hf_tokenizer_name"):
        return open_clip.get_tokenizer(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", local_files_only=True, trust_remote_code=False)
    inner = tokenizer.tokenizer
    check_words(folder, inner)
    if inner.padding_side != "right":
        raise InputError(
            f"{folder}: the tokenizer fills short texts up on the {inner.padding_side}, but these models learned "
            'texts filled up on the right: set "padding_side": "right" in tokenizer_config.json'
        )
    if inner.eos_token_id is not None and inner.eos_token_id not in tokenizer(["a"])[0].tolist():
        raise InputError(
            f"{folder}: the tokenizer does not end texts with {inner.eos_token}, which these models have learned: "
            "use the tokenizer.json that came with the model"
        )
    return tokenizer


def _check_shapes(checkpoint: Path, model: torch.nn.Module) -> None:
    """Refuse tensors that open_clip fitted to the model: it interpolates positions where their number differs."""
    shapes = {name: list(value.shape) for name, value in model.state_dict().items() if value.ndim}
    with safe_open(str(checkpoint), framework="pt") as file:
        for name in sorted(shapes.keys() & set(file.keys()) - _RESIZED):
            found = file.get_slice(name).get_shape()
            if found != shapes[name]:
                raise InputError(
                    f"the checkpoint in {checkpoint.parent} has the tensor {name} in the shape {found}, "
                    f"not {shapes[name]}; fetch or copy the pack again"
                )
