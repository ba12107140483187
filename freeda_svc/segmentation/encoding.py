"""Dense features, embeddings and superpixels of windows, many windows at once.

A batch has windows of several images. Superpixels are cut in other threads while the models compute: the algorithms
release the interpreter's lock meanwhile.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.errors import InputError
from freeda_svc.packs import Pack
from freeda_svc.parameters import SuperpixelParameters
from freeda_svc.segmentation.superpixels import cut_superpixels

PIXELS_AT_ONCE = 640_000
"""How many pixels go through both models at once on a processor: two windows of the published sizes. Each more takes
about 100 MB, and one alone keeps the cores busy."""
PIXELS_AT_ONCE_ELSEWHERE = 8 * PIXELS_AT_ONCE
"""On a GPU, where larger batches are faster."""
MOST_WINDOWS_AT_ONCE = 32

Crop = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """The features, the embedding and the superpixels of a window.

    Attributes:
        features: (Dv, h, w) float32, its dense features.
        embedding: (Dt,) float32, not normalised; None where it was not requested.
        superpixels: (H, W) int32, as ``cut_superpixels`` returns them.
        encoder_seconds: its share of the time that the models took.
        superpixel_seconds: its share of the time that superpixels took beyond that.
    """

    features: torch.Tensor
    embedding: torch.Tensor | None
    superpixels: torch.Tensor
    encoder_seconds: float
    superpixel_seconds: float


def windows_at_once(pack: Pack) -> int:
    """Return how many windows go through the models of a pack together, at least one."""
    if pack.computing.windows_at_once:
        return pack.computing.windows_at_once
    pixels = PIXELS_AT_ONCE if pack.device == "cpu" else PIXELS_AT_ONCE_ELSEWHERE
    size = pack.parameters.backbone_size**2 + pack.parameters.image_text_size**2
    return min(max(1, pixels // size), MOST_WINDOWS_AT_ONCE)


def encode_windows(
    pack: Pack, crops: Iterable[Crop], superpixels: SuperpixelParameters, *, embed: bool
) -> Iterator[EncodedWindow]:
    """Encode windows and cut them into superpixels.

    Args:
        pack: holds the models.
        crops: (H, W, 3) uint8, read no further ahead than one batch. Neighbours of one size go together.
        superpixels: how to cut.
        embed: whether the image-text model is to embed the windows.

    Yields:
        One encoded window per crop, in order. What reading the crops raises is raised after the windows before it.

    Raises:
        InputError: a model gives values that are not finite.
    """
    cutters = max(1, (os.cpu_count() or 1) // 2)
    with ThreadPoolExecutor(cutters, thread_name_prefix="superpixels") as threads:
        for batch in same_size_batches(crops, windows_at_once(pack)):
            cutting = [threads.submit(cut_superpixels, crop, superpixels) for crop in batch]
            try:
                yield from _encode(pack, batch, cutting, embed=embed)
            finally:
                for cut in cutting:
                    cut.cancel()


def _encode(
    pack: Pack, batch: list[Crop], cutting: list[Future[npt.NDArray[np.int32]]], *, embed: bool
) -> Iterator[EncodedWindow]:
    started = perf_counter()
    images = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float().div(255)
    features = pack.backbone.features(images)
    embeddings = pack.image_text.embed_images(images) if embed else None
    _check_finite(features, "backbone")
    if embeddings is not None:
        _check_finite(embeddings, "image-text model")
    encoded = perf_counter()
    cut = [torch.from_numpy(future.result()) for future in cutting]
    waited = perf_counter()
    for index, superpixels in enumerate(cut):
        yield EncodedWindow(
            features=features[index],
            embedding=None if embeddings is None else embeddings[index],
            superpixels=superpixels,
            encoder_seconds=(encoded - started) / len(batch),
            superpixel_seconds=(waited - encoded) / len(batch),
        )


def _check_finite(values: torch.Tensor, model: str) -> None:
    """Refuse what a model could not compute: where nothing compares, some category would win all the same."""
    if not bool(values.isfinite().all()):
        raise InputError(
            f"the pack's {model} gives values that are not finite for the image, so it cannot be segmented; "
            "let the models compute in float32 (the setting precision), and see whether the pack is complete"
        )


def same_size_batches(crops: Iterable[Crop], most: int) -> Iterator[list[Crop]]:
    """Put neighbours of one size together, at most so many; an error in reading the crops comes after those before it.

    Args:
        crops: (H, W, 3) uint8.
        most: how many a batch has.
    """
    batch: list[Crop] = []
    reading = iter(crops)
    while True:
        try:
            crop = next(reading, None)
        except Exception:
            if batch:
                yield batch
            raise
        if batch and (crop is None or crop.shape != batch[0].shape):
            yield batch
            batch = []
        if crop is None:
            return
        batch.append(crop)
        if len(batch) == most:
            yield batch
            batch = []
