"""Scores of the miniature models, each on validation scenes that no training has seen."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from freeda_svc.captions import make_caption
from freeda_svc.miniature.training.backbone import PATCH
from freeda_svc.miniature.training.plans import TrainingPlan
from freeda_svc.miniature.training.pool import VALIDATION_SPLIT, ScenePool, paint_pool
from freeda_svc.miniature.worlds import World
from freeda_svc.packs import Pack, load_pack


def _unit_images(pool: ScenePool) -> torch.Tensor:
    """Return (N, 3, 64, 64) float32, 0 to 1."""
    return torch.from_numpy(pool.images).permute(0, 3, 1, 2).float().div(255)


def _reconstruction(folder: Path, pool: ScenePool) -> float:
    """Return the mean absolute error of the autoencoder in grey levels, 0 to 255."""
    vae = AutoencoderTiny.from_pretrained(folder / "generator" / "vae", torch_dtype=torch.float32)
    pixels = pool.pixels(np.arange(len(pool)))
    rebuilt = vae.decode(vae.encode(pixels).latents).sample.clamp(-1, 1)
    return float(functional.l1_loss(rebuilt, pixels)) * 127.5


def _recall(pack: Pack, pool: ScenePool, world: World) -> float:
    """Return how often an image's nearest caption names exactly what is shown."""
    images = functional.normalize(pack.image_text.embed_images(_unit_images(pool)), dim=-1)
    texts = functional.normalize(pack.image_text.embed_texts(pool.captions), dim=-1)
    nearest = (images @ texts.T).argmax(dim=1).numpy()
    return float(named_exactly(world, pool.shown, pool.named[nearest]).mean())


def named_exactly(world: World, shown: npt.NDArray[np.bool_], named: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return (N,) bool: whether a caption names all that its scene shows, by noun or by kind, and nothing else.

    Args:
        world: says what a kind is the general word for.
        shown: (N, concepts) bool, as ``ScenePool`` has it.
        named: (N, concepts) bool, likewise.
    """
    covered = named.copy()
    for kind, nouns in world.kinds.items():
        covered[:, [world.concepts.index(noun) for noun in nouns]] |= named[:, [world.concepts.index(kind)]]
    nouns_only = slice(0, len(world.nouns))
    wrong, missing = named & ~shown, (shown & ~covered)[:, nouns_only]
    return np.asarray(~(wrong.any(axis=1) | missing.any(axis=1)))


def _patch_separation(pack: Pack, pool: ScenePool, world: World) -> dict[str, float]:
    """Return each noun's IoU when patches take the nearest class mean of another set of true patches."""
    features = pack.backbone.features(_unit_images(pool)).flatten(2).transpose(1, 2)
    labels = torch.from_numpy(pool.labels[:, PATCH // 2 :: PATCH, PATCH // 2 :: PATCH]).flatten(1).long()
    half = len(pool) // 2
    means = torch.stack([features[:half][labels[:half] == noun].mean(dim=0) for noun in range(len(world.nouns))])
    cosines = functional.normalize(features[half:], dim=-1) @ functional.normalize(means, dim=-1).T
    predicted, truth = cosines.argmax(dim=-1), labels[half:]
    scores = {}
    for number, noun in enumerate(world.nouns):
        hit = ((predicted == number) & (truth == number)).sum()
        union = ((predicted == number) | (truth == number)).sum()
        scores[noun] = float(hit / union)
    return scores


def _drawn(pack: Pack, world: World, each: int) -> dict[str, float]:
    """Return how often a noun's captions gave an image in which the image-text model finds the noun.

    The noun counts as drawn when it ranks among the first n of all nouns, n being how many the caption names.
    """
    from freeda_svc.captions import NounParser  # noqa: PLC0415 - spaCy is needed here only

    parser = NounParser()
    meant = {word.text: word.concept for word in world.vocabulary("generator")}
    nouns = list(dict.fromkeys(meant.values()))
    names = pack.image_text.embed_nouns(nouns)
    hits: dict[str, list[bool]] = {noun: [] for noun in nouns}
    pool = paint_pool(world.easy, len(nouns) * each, split=VALIDATION_SPLIT, stream=3, world=world)
    captions = [caption for text in pool.captions if (caption := make_caption(text)) is not None]
    found = parser.parse([caption.text for caption in captions])
    for start in range(0, len(captions), 16):
        part = slice(start, start + 16)
        for image in pack.generator.generate(captions[part], found[part]):
            pixels = torch.from_numpy(image.pixels).permute(2, 0, 1)[None].float().div(255)
            scores = (functional.normalize(pack.image_text.embed_images(pixels), dim=-1) @ names.T)[0]
            mentioned = [meant[noun.text] for noun in image.nouns if noun.text in meant]
            first = {nouns[int(index)] for index in scores.argsort(descending=True)[: len(mentioned)]}
            for noun in mentioned:
                hits[noun].append(noun in first)
    return {noun: float(np.mean(seen)) for noun, seen in hits.items() if seen}


@torch.no_grad()
def score_pack(folder: Path, plan: TrainingPlan, *, captions_each: int = 12) -> dict[str, object]:
    """Score a trained pack on validation scenes.

    Args:
        folder: the pack's folder.
        plan: what it was trained by.
        captions_each: the generator is tried on so many captions for each noun that it was taught.

    Returns:
        plain numbers, ready for JSON: ``reconstruction_error`` (grey levels), ``caption_recall``,
        ``patch_iou`` by noun and its means over seen and unseen nouns, ``drawn`` by noun and its mean.
    """
    pack = load_pack(str(folder))
    world, unseen = plan.world, plan.backbone.unseen
    hard = paint_pool(world.hard, 400, split=VALIDATION_SPLIT, stream=1, world=world, reader="nobody")
    easy = paint_pool(world.easy, 400, split=VALIDATION_SPLIT, stream=2, world=world, reader="image_text")
    patches = _patch_separation(pack, hard, world)
    drawn = _drawn(pack, world, captions_each)
    return {
        "reconstruction_error": _reconstruction(folder, hard),
        "caption_recall": _recall(pack, easy, world),
        "patch_iou": patches,
        "patch_iou_seen": float(np.mean([patches[noun] for noun in world.nouns if noun not in unseen])),
        "patch_iou_unseen": float(np.mean([patches[noun] for noun in unseen])),
        "drawn": drawn,
        "drawn_mean": float(np.mean(list(drawn.values()))),
    }
