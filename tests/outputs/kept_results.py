"""Results as workers keep them, made without a worker."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from freeda_svc.outputs import InputImage, KeptResult, SegmentedImage, palette, write_mask
from freeda_svc.outputs.scores import keep_scores


def make_picture(
    folder: Path,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    stem: str = "cat",
    suffix: str = ".png",
    number: int = 1,
    scores: np.ndarray | None = None,
) -> SegmentedImage:
    """Keep the result of an image of random pixels below a folder."""
    kept = folder / "results" / "job" / str(number)
    kept.mkdir(parents=True)
    colours = palette(len(names))
    write_mask(kept / "mask.png", labels, colours)
    values = np.full(labels.shape, 0.5, dtype=np.float32) if scores is None else scores
    keep_scores(kept / "scores.png", values)
    categories = [
        {"name": name, "score": float(values[labels == index].mean()) if (labels == index).any() else None}
        for index, name in enumerate(names)
    ]
    (kept / "summary.json").write_text(json.dumps({"categories": categories, "pack": "p"}))
    image = folder / f"{number}{suffix}"
    pixels = np.random.default_rng(number).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(image)
    return SegmentedImage(InputImage(image, f"{stem}{suffix}", stem), KeptResult(kept), colours)
