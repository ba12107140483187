"""A pack whose encoders have the published sizes and random weights, and a bank that fits it."""

import logging
from pathlib import Path

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import numpy as np
import open_clip
import torch
from transformers import Dinov2Config, Dinov2Model

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.encoders import DenseBackbone, ImageTextModel
from freeda_svc.packs import Pack, PackDescription, Precision, Runtime, choose_computing, encoder_compiler, read_recipe
from freeda_svc.prototypes import Prototype

RECIPE = "freeda-vit-b"

_DENSE_SIDE, _DENSE_PATCH = 518, 14
_IMAGE_TEXT_SIDE = 224
IMAGE_TEXT = "ViT-B-16-quickgelu"


def random_pack(precision: Precision = "auto", runtime: Runtime = "torch", device: str = "cpu") -> Pack:
    """Return a pack with DINOv2 ViT-B/14 and CLIP ViT-B/16, the same in every run.

    Its parameters are the recipe's, but one prototype a category: what is fetched is kept from call to call, so that
    more would change nothing but make all categories of a small bank alike.

    Args:
        precision: of the encoders.
        runtime: that computes them.
        device: on which they compute.
    """
    torch.manual_seed(0)
    recipe = read_recipe(RECIPE)
    description = PackDescription(
        name="random",
        version="1",
        description="The published encoders with random weights",
        folder=Path(),
        parameters=recipe.parameters.replace(segmentation=recipe.parameters.segmentation.replace(k=1)),
        sources={},
        files={},
    )
    computing = choose_computing(device, precision, runtime)
    pack = Pack(description, computing)
    weights, compiler = getattr(torch, computing.weights), encoder_compiler(computing)
    dense = random_backbone()
    pack.backbone = DenseBackbone(dense.to(device=device, dtype=weights), _DENSE_SIDE, compiler=compiler)
    image_text = random_image_text()
    constants = open_clip.get_model_preprocess_cfg(image_text)
    pack.image_text = ImageTextModel(
        image_text.to(device=device, dtype=weights),
        open_clip.get_tokenizer(IMAGE_TEXT),
        _IMAGE_TEXT_SIDE,
        constants["mean"],
        constants["std"],
        compiler=compiler,
    )
    return pack


def random_backbone() -> Dinov2Model:
    """Return DINOv2 ViT-B/14 for images of 518 x 518 pixels."""
    return Dinov2Model(Dinov2Config(image_size=_DENSE_SIDE, patch_size=_DENSE_PATCH))


def random_image_text() -> open_clip.CLIP:
    """Return CLIP ViT-B/16."""
    logging.disable(logging.WARNING)  # that weights are random is what is wanted
    try:
        return open_clip.create_model(IMAGE_TEXT)
    finally:
        logging.disable(logging.NOTSET)


def names_of_categories(count: int) -> list[str]:
    """Return names of categories, all different."""
    return [f"thing {number}" for number in range(count)]


def fill_bank(pack: Pack, folder: Path, image: np.ndarray, categories: int) -> PrototypeStore:
    """Make a bank with one prototype a category, which lies near some cell of a photo.

    What is common to all features is taken out, so that an image gets many categories, and borders between them.

    Args:
        pack: whose models make keys and features.
        folder: of the bank, which must not exist yet.
        image: (H, W, 3) uint8.
        categories: how many.
    """
    rng = np.random.default_rng(0)
    names = names_of_categories(categories)
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().div(255)
    cells = pack.backbone.features(pixels)[0].flatten(start_dim=1).T.numpy()
    common = cells.mean(axis=0) / np.linalg.norm(cells.mean(axis=0))
    chosen = cells[rng.choice(len(cells), categories)]
    vectors = chosen - np.outer(chosen @ common, common)
    keys = pack.image_text.embed_nouns(names).numpy()
    store = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    store.add(
        [
            Prototype(
                noun=name,
                caption_id=f"{number:016x}",
                caption=f"a {name}",
                spans=((2, 2 + len(name)),),
                seed=0,
                key=keys[number],
                vector=vectors[number],
                mask_area=0.2,
                contrast=0.5,
                image_text_score=0.3,
                pack=pack.fingerprint,
            )
            for number, name in enumerate(names)
        ]
    )
    return store
