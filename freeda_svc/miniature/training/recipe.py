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


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder / "tokenizer")


def _scaled_autoencoder(folder: Path) -> AutoencoderTiny:
    model = autoencoder.train(folder)
    model.register_to_config(scaling_factor=1.0 / autoencoder.latent_deviation(model))
    return model


def train_generator(folder: Path) -> None:
    """Train the autoencoder, then the U-Net with its text encoder; finished parts are read, not repeated."""
    torch.set_num_threads(1)
    generator.train(folder, _scaled_autoencoder(folder), _load_tokenizer(folder))


def train_encoders(folder: Path) -> None:
    """Train the dense backbone, then the image-text model; finished parts are read, not repeated."""
    torch.set_num_threads(1)
    backbone.train(folder)
    image_text.train(folder, _load_tokenizer(folder))


def train_all(folder: Path) -> None:
    """Train everything below ``folder``, resuming from its checkpoints (under an hour on two cores).

    Raises:
        whatever a training raised, once both processes have stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if not (folder / "tokenizer" / "vocab.json").is_file():
        vocabulary.train(folder / "tokenizer")
    chains: tuple[Callable[[Path], None], ...] = (train_generator, train_encoders)
    with ProcessPoolExecutor(len(chains), mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(chain, folder) for chain in chains]:
            future.result()


def write_models(folder: Path, destination: Path) -> None:
    """Write the trained models in their libraries' own layouts, replacing what ``destination`` held of them."""
    torch.set_num_threads(1)
    tokenizer = _load_tokenizer(folder)
    vae = _scaled_autoencoder(folder)
    for part in ("generator", "backbone", "image_text"):
        shutil.rmtree(destination / part, ignore_errors=True)
    generator.save(destination / "generator", generator.train(folder, vae, tokenizer), vae, tokenizer)
    backbone.save(destination / "backbone", backbone.train(folder))
    image_text.save(destination / "image_text", image_text.train(folder, tokenizer), tokenizer)
    for configuration in destination.rglob("*.json"):  # library versions and paths of the trainer's machine
        content = json.loads(configuration.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "_name_or_path" in content:
            del content["_name_or_path"]
            configuration.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
