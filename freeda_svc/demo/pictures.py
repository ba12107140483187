"""Choosing what the gallery shows, and putting it together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.demo.gallery import Row, Section, colour_labels, draw_gallery
from freeda_svc.demo.world import LabelledScene
from freeda_svc.miniature import NOUNS
from freeda_svc.outputs import heat, palette

COLUMNS = 8
VISIBLE_PIXELS = 50


@dataclass(frozen=True)
class GeneratedExample:
    """A generated image and the attribution of one of its nouns, as PNG files."""

    noun: str
    image: Path
    attribution: Path


def _pixels(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def _labels(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(path))


def _varied(scenes: Sequence[LabelledScene], count: int) -> list[int]:
    """Choose scenes that together show all nouns, whatever their scores: each adds the most nouns not shown yet."""
    chosen: list[int] = []
    missing = set(range(len(NOUNS)))
    while len(chosen) < min(count, len(scenes)):
        rest = [index for index in range(len(scenes)) if index not in chosen]
        best = max(rest, key=lambda index: len(missing & set(np.unique(scenes[index].labels).tolist())))
        missing -= set(np.unique(scenes[best].labels).tolist())
        chosen.append(best)
    return chosen


def _showing(scenes: Sequence[LabelledScene], noun: str, count: int) -> list[int]:
    """Choose the first scenes in which a noun covers at least ``VISIBLE_PIXELS``."""
    label = NOUNS.index(noun)
    return [index for index, scene in enumerate(scenes) if (scene.labels == label).sum() >= VISIBLE_PIXELS][:count]


def _only(labels: npt.NDArray[np.uint8], image: npt.NDArray[np.uint8], noun: str) -> npt.NDArray[np.uint8]:
    """Show an image in grey with one noun's mask in its colour."""
    grey = np.repeat(image.mean(axis=-1, keepdims=True) * 0.5 + 100, 3, axis=-1).astype(np.uint8)
    index = NOUNS.index(noun)
    return np.where((labels == index)[..., None], palette(len(NOUNS))[index], grey)


def compose_gallery(
    scenes: Sequence[LabelledScene],
    before: Sequence[Path],
    after: Sequence[Path],
    extension_noun: str,
    examples: Sequence[GeneratedExample],
) -> Image.Image:
    """Show scenes with truth and mask, one noun before and after it was taught, and generated images.

    Args:
        scenes: the test scenes.
        before: their masks before the extension, in the same order.
        after: their masks with the full bank.
        extension_noun: the noun that was taught in between.
        examples: generated images with the attribution of a noun.
    """
    colours = palette(len(NOUNS))
    chosen = _varied(scenes, COLUMNS)
    taught = _showing(scenes, extension_noun, COLUMNS)
    images = {index: _pixels(scenes[index].path) for index in {*chosen, *taught}}
    attributions = [
        np.asarray(Image.open(example.attribution), dtype=np.float32) / np.float32(255) for example in examples
    ]
    sections = [
        Section(
            "Scenes that no model has seen, segmented into fourteen categories given as words",
            (
                Row("input", tuple(images[index] for index in chosen)),
                Row("ground truth", tuple(colour_labels(scenes[index].labels, colours) for index in chosen)),
                Row("mask", tuple(colour_labels(_labels(after[index]), colours) for index in chosen)),
            ),
        ),
        Section(
            f"The word '{extension_noun}' before and after captions with it were ingested",
            (
                Row("input", tuple(images[index] for index in taught)),
                Row("before", tuple(_only(_labels(before[index]), images[index], extension_noun) for index in taught)),
                Row("after", tuple(_only(_labels(after[index]), images[index], extension_noun) for index in taught)),
            ),
        ),
        Section(
            "Images generated from captions, and where cross-attention found a noun",
            (
                Row("generated", tuple(_pixels(example.image) for example in examples)),
                Row(
                    "attribution",
                    tuple(
                        heat(_pixels(example.image), attribution)
                        for example, attribution in zip(examples, attributions, strict=True)
                    ),
                    tuple(example.noun for example in examples),
                ),
            ),
        ),
    ]
    return draw_gallery([section for section in sections if section.rows[0].pictures], NOUNS, colours)
