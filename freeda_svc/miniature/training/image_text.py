"""The miniature image-text model: an open_clip model small enough for seconds on a processor."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import CLIPTokenizer

from freeda_svc.encoders import TEMPLATES, fill
from freeda_svc.miniature.training.arithmetic import quick_arithmetic
from freeda_svc.miniature.training.generator import tokenize
from freeda_svc.miniature.training.loop import Schedule, Training
from freeda_svc.miniature.training.plans import SMALL_PLAN, ImageTextPlan, TrainingPlan
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, ScenePool, disturb, flip_some, join_pools, paint_pool
from freeda_svc.miniature.worlds import World

BATCH = 96
MEAN = STD = (0.5, 0.5, 0.5)


def configuration(tokenizer: CLIPTokenizer, plan: ImageTextPlan = SMALL_PLAN.image_text) -> dict[str, Any]:
    """Return the model configuration in open_clip's own format."""
    return {
        "embed_dim": plan.dimension,
        "vision_cfg": {
            "image_size": 64,
            "layers": plan.image_layers,
            "width": plan.image_width,
            "head_width": plan.image_width // 4,
            "patch_size": plan.image_patch,
        },
        "text_cfg": {
            "context_length": tokenizer.model_max_length,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "tokenizer",
            "width": plan.text_width,
            "heads": 4,
            "layers": plan.text_layers,
        },
    }


def build(tokenizer: CLIPTokenizer, plan: ImageTextPlan = SMALL_PLAN.image_text) -> open_clip.CLIP:
    """Return the untrained model."""
    torch.manual_seed(1)
    settings = dict(configuration(tokenizer, plan))
    settings["text_cfg"] = {key: value for key, value in settings["text_cfg"].items() if key != "hf_tokenizer_name"}
    return open_clip.CLIP(**settings)


def _words(world: World) -> list[list[str]]:
    """Return the words for each of the world's concepts, in their order."""
    known = world.vocabulary("image_text")
    return [[word.text for word in known if word.concept == concept] for concept in world.concepts]


def _texts(
    rng: np.random.Generator, pool: ScenePool, words: list[list[str]], chosen: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Return a text for each scene, half of them a template with one of its things, and the concepts it names."""
    texts: list[str] = []
    named = pool.named[chosen].copy()
    for row, index in enumerate(chosen):
        if rng.random() < 0.5:
            texts.append(pool.captions[index])
            continue
        concept = int(rng.choice(np.flatnonzero(pool.shown[index])))
        options = words[concept]
        word = options[int(rng.integers(len(options)))] if len(options) > 1 else options[0]
        texts.append(fill(TEMPLATES[int(rng.integers(len(TEMPLATES)))], word))
        named[row] = np.arange(len(words)) == concept
    return texts, named


def _soft_targets(shown: np.ndarray, named: np.ndarray) -> torch.Tensor:
    """Return (B, B) float32, 1 where an image shows everything a text names: equal captions are no mistakes."""
    missing = (~shown).astype(np.float32) @ named.astype(np.float32).T
    return torch.from_numpy((missing == 0).astype(np.float32))


def train(folder: Path, tokenizer: CLIPTokenizer, plan: TrainingPlan = SMALL_PLAN) -> open_clip.CLIP:
    """Train contrastively with soft targets on easy and hard scenes."""
    steps, world = plan.image_text.steps, plan.world
    easy, hard = plan.image_text.scenes
    model = build(tokenizer, plan.image_text)
    schedule = Schedule(steps, 1e-3, warmup=200, weight_decay=0.1, average_decay=0.995)
    training = Training("image-text", model, schedule, folder)
    if training.step < steps:
        words = _words(world)
        pool = join_pools(
            paint_pool(world.easy, easy, split=TRAINING_SPLIT, stream=7, world=world, reader="image_text"),
            paint_pool(world.hard, hard, split=TRAINING_SPLIT, stream=8, world=world, reader="image_text"),
        )

    def step(rng: np.random.Generator) -> torch.Tensor:
        chosen = rng.integers(len(pool), size=BATCH)
        texts, named = _texts(rng, pool, words, chosen)
        pixels = disturb(flip_some(rng, pool.pixels(chosen)))
        with quick_arithmetic():
            images, embedded = model.encode_image(pixels), model.encode_text(tokenize(tokenizer, texts))
        images, embedded = (functional.normalize(side.float(), dim=-1) for side in (images, embedded))
        logits = model.logit_scale.exp().clamp(max=50) * images @ embedded.T
        match = _soft_targets(pool.shown[chosen], named)
        by_image = functional.cross_entropy(logits, match / match.sum(dim=1, keepdim=True))
        by_text = functional.cross_entropy(logits.T, match.T / match.sum(dim=0)[:, None])
        return (by_image + by_text) / 2

    training.run(step)
    return model


def save(
    folder: Path, model: open_clip.CLIP, tokenizer: CLIPTokenizer, plan: ImageTextPlan = SMALL_PLAN.image_text
) -> None:
    """Write the directory that open_clip loads as ``local-dir:``: a configuration and safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "model_cfg": configuration(tokenizer, plan),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    tokenizer.save_pretrained(folder)
