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
from freeda_svc.miniature.scenes import EASY, HARD, NOUNS
from freeda_svc.miniature.training.generator import tokenize
from freeda_svc.miniature.training.loop import Schedule, Training
from freeda_svc.miniature.training.pool import TRAINING_SPLIT, ScenePool, disturb, flip_some, join_pools, paint_pool

BATCH = 96
MEAN = STD = (0.5, 0.5, 0.5)


def configuration(tokenizer: CLIPTokenizer) -> dict[str, Any]:
    """Return the model configuration in open_clip's own format."""
    return {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "layers": 3, "width": 96, "head_width": 24, "patch_size": 8},
        "text_cfg": {
            "context_length": tokenizer.model_max_length,
            "vocab_size": len(tokenizer),
            "hf_tokenizer_name": "tokenizer",
            "width": 64,
            "heads": 4,
            "layers": 2,
        },
    }


def build(tokenizer: CLIPTokenizer) -> open_clip.CLIP:
    """Return the untrained model."""
    torch.manual_seed(1)
    settings = dict(configuration(tokenizer))
    settings["text_cfg"] = {key: value for key, value in settings["text_cfg"].items() if key != "hf_tokenizer_name"}
    return open_clip.CLIP(**settings)


def _texts(rng: np.random.Generator, pool: ScenePool, chosen: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return a text for each scene, half of them a template with one of its nouns, and the nouns it names."""
    texts: list[str] = []
    named = pool.present[chosen].copy()
    for row, index in enumerate(chosen):
        if rng.random() < 0.5:
            texts.append(pool.captions[index])
            continue
        noun = int(rng.choice(np.flatnonzero(pool.present[index])))
        texts.append(fill(TEMPLATES[int(rng.integers(len(TEMPLATES)))], NOUNS[noun]))
        named[row] = np.arange(len(NOUNS)) == noun
    return texts, named


def _soft_targets(present: np.ndarray, named: np.ndarray) -> torch.Tensor:
    """Return (B, B) float32, 1 where an image shows every noun of a text: equal captions are no mistakes."""
    missing = (~present).astype(np.float32) @ named.astype(np.float32).T
    return torch.from_numpy((missing == 0).astype(np.float32))


def train(folder: Path, tokenizer: CLIPTokenizer, steps: int = 2500) -> open_clip.CLIP:
    """Train contrastively with soft targets on easy and hard scenes."""
    model = build(tokenizer)
    schedule = Schedule(steps, 1e-3, warmup=200, weight_decay=0.1, average_decay=0.995)
    training = Training("image-text", model, schedule, folder)
    if training.step < steps:
        pool = join_pools(
            paint_pool(EASY, 5000, split=TRAINING_SPLIT, stream=7),
            paint_pool(HARD, 9000, split=TRAINING_SPLIT, stream=8),
        )

    def step(rng: np.random.Generator) -> torch.Tensor:
        chosen = rng.integers(len(pool), size=BATCH)
        texts, named = _texts(rng, pool, chosen)
        images = model.encode_image(disturb(flip_some(rng, pool.pixels(chosen))), normalize=True)
        embedded = model.encode_text(tokenize(tokenizer, texts), normalize=True)
        logits = model.logit_scale.exp().clamp(max=50) * images @ embedded.T
        match = _soft_targets(pool.present[chosen], named)
        by_image = functional.cross_entropy(logits, match / match.sum(dim=1, keepdim=True))
        by_text = functional.cross_entropy(logits.T, match.T / match.sum(dim=0)[:, None])
        return (by_image + by_text) / 2

    training.run(step)
    return model


def save(folder: Path, model: open_clip.CLIP, tokenizer: CLIPTokenizer) -> None:
    """Write the directory that open_clip loads as ``local-dir:``: a configuration and safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "model_cfg": configuration(tokenizer),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    tokenizer.save_pretrained(folder)
