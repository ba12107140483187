"""The whole recipe: what is trained, in which order, and how the pack is put together.

Every model trains on one thread, so that the result does not depend on the number of cores; the two chains that
do not need each other run in two processes.
"""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from freeda_svc.miniature.training import autoencoder, backbone, generator, image_text, vocabulary
from freeda_svc.miniature.training.plans import TrainingPlan


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder / "tokenizer")


def _scaled_autoencoder(folder: Path, plan: TrainingPlan) -> AutoencoderTiny:
    model = autoencoder.train(folder, plan)
    model.register_to_config(scaling_factor=1.0 / autoencoder.latent_deviation(model, plan))
    return model


def train_generator(folder: Path, plan: TrainingPlan) -> None:
    """Train the autoencoder, then the U-Net with its text encoder; finished parts are read, not repeated."""
    torch.set_num_threads(1)
    generator.train(folder, _scaled_autoencoder(folder, plan), _load_tokenizer(folder), plan)


def train_encoders(folder: Path, plan: TrainingPlan) -> None:
    """Train the dense backbone, then the image-text model; finished parts are read, not repeated."""
    torch.set_num_threads(1)
    backbone.train(folder, plan)
    image_text.train(folder, _load_tokenizer(folder), plan)


def train_all(folder: Path, plan: TrainingPlan) -> None:
    """Train everything below ``folder``, resuming from its checkpoints.

    Raises:
        whatever a training raised, once both processes have stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if not (folder / "tokenizer" / vocabulary.VOCABULARY_FILE).is_file():
        vocabulary.train(folder / "tokenizer", plan)
    chains: tuple[Callable[[Path, TrainingPlan], None], ...] = (train_generator, train_encoders)
    with ProcessPoolExecutor(len(chains), mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(chain, folder, plan) for chain in chains]:
            future.result()


def write_models(folder: Path, destination: Path, plan: TrainingPlan) -> None:
    """Write the trained models in their libraries' own layouts, replacing what ``destination`` held of them."""
    torch.set_num_threads(1)
    tokenizer = _load_tokenizer(folder)
    vae = _scaled_autoencoder(folder, plan)
    for part in ("generator", "backbone", "image_text"):
        shutil.rmtree(destination / part, ignore_errors=True)
    generator.save(destination / "generator", generator.train(folder, vae, tokenizer, plan), vae, tokenizer)
    backbone.save(destination / "backbone", backbone.train(folder, plan))
    trained = image_text.train(folder, tokenizer, plan)
    image_text.save(destination / "image_text", trained, tokenizer, plan.image_text)
    for configuration in destination.rglob("*.json"):  # library versions and paths of the trainer's machine
        content = json.loads(configuration.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "_name_or_path" in content:
            del content["_name_or_path"]
            configuration.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
