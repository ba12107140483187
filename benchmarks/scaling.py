"""Constants of docs/scaling.md that no other benchmark measures: operations of models, sizes of files, nouns a caption.

Operations are counted on tensors without values, so neither weights nor a GPU are needed; they carry times that others
published for one size of image over to another. Files are those of a photo; its categories come from encoders with
random weights, so its mask has more borders than most.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import freeda_svc.torchvision_operators  # noqa: F401  (before diffusers and transformers)
from benchmarks.nouns import COCO
from benchmarks.results import Result
from benchmarks.segmentation_load.growth import PHOTO
from benchmarks.segmentation_load.models import fill_bank, names_of_categories, random_pack
from benchmarks.segmentation_load.photos import photo
from freeda_svc.captions import NounParser, read_captions
from freeda_svc.outputs import keep_result, palette
from freeda_svc.prototypes.thumbnails import (
    write_attribution_thumbnail,
    write_image_thumbnail,
    write_mask_thumbnail,
)
from freeda_svc.segmentation import Category, Segmenter, cut_superpixels

PIXELS_A_LATENT = 8
TOKENS, TEXT_WIDTH = 77, 1024
BACKBONE_SIDE, IMAGE_TEXT_SIDE, GENERATED_SIDE, WINDOW = 518, 224, 768, 448
SOME_CAPTIONS = 5000
FEW, MANY = 21, 150
ROUNDS = 10
_TERA, _GIGA = 1e12, 1e9


def generator_step(side: int) -> float:
    """Operations of one evaluation of Stable Diffusion 2.1's U-Net for an image of so many pixels a side."""
    from diffusers import UNet2DConditionModel  # noqa: PLC0415 - takes a while

    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=side // PIXELS_A_LATENT,
            cross_attention_dim=TEXT_WIDTH,
            attention_head_dim=(5, 10, 20, 20),
            use_linear_projection=True,
        )
        latents = torch.empty(1, 4, side // PIXELS_A_LATENT, side // PIXELS_A_LATENT)
        given = (latents, torch.empty(()), torch.empty(1, TOKENS, TEXT_WIDTH))
    return _counted(lambda: unet(*given))


def vision_transformer(side: int, patch: int, *, width: int, layers: int, heads: int) -> float:
    """Operations of a vision transformer for one image: DINOv2's and CLIP's differ by nothing that counts."""
    from transformers import Dinov2Config, Dinov2Model  # noqa: PLC0415 - takes a while

    config = Dinov2Config(
        image_size=side, patch_size=patch, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads
    )
    with torch.device("meta"):
        model, image = Dinov2Model(config), torch.empty(1, 3, side, side)
    return _counted(lambda: model(image))


def run() -> list[Result]:
    """Count and measure all."""
    return [*_operations(), *_nouns(), *_superpixels(), *_files()]


def _operations() -> list[Result]:
    small_step, step = generator_step(512), generator_step(GENERATED_SIDE)
    against = "an image of 512 x 512 pixels"
    results = [
        Result("sd21_unet_512_tflop", small_step / _TERA, "TFLOP"),
        Result("sd21_unet_768_tflop", step / _TERA, "TFLOP", against, step / small_step),
    ]
    for letter, image_text_patch, width, layers, heads in (("b", 16, 768, 12, 12), ("l", 14, 1024, 24, 16)):
        shape = {"width": width, "layers": layers, "heads": heads}
        backbone = vision_transformer(BACKBONE_SIDE, 14, **shape)
        image_text = vision_transformer(IMAGE_TEXT_SIDE, image_text_patch, **shape)
        results += [
            Result(f"dinov2_{letter}14_518_gflop", backbone / _GIGA, "GFLOP"),
            Result(f"clip_{letter}{image_text_patch}_224_gflop", image_text / _GIGA, "GFLOP"),
        ]
    return results


def _nouns() -> list[Result]:
    """Of real captions, where they are at hand."""
    if not COCO.is_file():
        return []
    texts = [caption.text for caption, _ in zip(read_captions(COCO), range(SOME_CAPTIONS), strict=False)]
    found = [len({noun.text for noun in nouns}) for nouns in NounParser().parse(texts)]
    size = sum(len(text.encode()) for text in texts) / len(texts)
    return [
        Result("nouns_per_caption", sum(found) / len(found), "nouns"),
        Result("caption_bytes", size, "bytes"),
    ]


def _superpixels() -> list[Result]:
    """Processor time of those that the published packs use, and of quicker ones."""
    image, given = photo("coffee", WINDOW, WINDOW), random_pack().parameters.segmentation.superpixels
    results = []
    for algorithm in ("felzenszwalb", "slic", "seeds"):
        parameters = given.replace(algorithm=algorithm)
        cut_superpixels(image, parameters)
        begun = process_time()
        for _ in range(ROUNDS):
            cut_superpixels(image, parameters)
        spent = 1000 * (process_time() - begun) / ROUNDS
        results.append(Result(f"superpixels_{algorithm}_cpu_ms_per_window", spent, "ms"))
    return results


def _files() -> list[Result]:
    image = photo("coffee", *PHOTO)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pack = random_pack()
        results = []
        with fill_bank(pack, folder / "bank", image, MANY) as store:
            segmenter = Segmenter(pack, store)
            for count in (FEW, MANY):
                found = segmenter.segment(image, [Category(name) for name in names_of_categories(count)])
                keep_result(folder / f"{count}", found, palette(count))
                results.append(Result(f"result_bytes_{count}_categories", _size(folder / f"{count}"), "bytes"))
        generated = photo("coffee", GENERATED_SIDE, GENERATED_SIDE)
        write_image_thumbnail(folder / "image", "0", generated)
        attribution = generated.mean(axis=2).astype(np.float32)
        write_mask_thumbnail(folder / "noun", "0", "cup", attribution > attribution.mean())
        write_attribution_thumbnail(folder / "noun", "0", "cup", attribution)
        return [
            *results,
            Result("thumbnail_bytes_per_image", _size(folder / "image"), "bytes"),
            Result("thumbnail_bytes_per_prototype", _size(folder / "noun"), "bytes"),
        ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _counted(work: Callable[[], object]) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())
