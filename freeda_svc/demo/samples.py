"""Sample files of the miniature world to try the commands on: captions, pictures, and marked pictures of a new word."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.demo.world import DemoPlan, write_captions
from freeda_svc.errors import InputError
from freeda_svc.miniature import EASY, HARD, NOUNS, paint_scene
from freeda_svc.whole_files import write_whole

SAMPLE_SPLIT = 4
PHOTOS, EXEMPLARS = 12, 5
LEAST_PIXELS = 50
"""A thing of which fewer pixels (of 4,096) show is no good example."""


def write_samples(folder: Path) -> list[Path]:
    """Write the sample files into a folder; those that are there already stay as they are.

    These are ``captions.txt`` with 240 captions, of which none names the moon, ``moon.txt`` with 24 that do, a dozen
    pictures in ``photos``, and in ``moon`` five pictures with their masks.

    Args:
        folder: where to; made if it is not there.

    Returns:
        The files.

    Raises:
        InputError: a file of one of these names is there with other content, or the folder cannot be written.
    """
    plan = DemoPlan()
    captions, teaching = write_captions(plan)
    files = {"captions.txt": _lines(captions), f"{plan.extension_noun}.txt": _lines(teaching)}
    for number in range(PHOTOS):
        files[f"photos/scene-{number:02d}.png"] = _png(paint_scene((SAMPLE_SPLIT, 0, number), HARD).image)
    for number, (image, mask) in enumerate(_marked_pictures(plan.extension_noun), 1):
        files[f"{plan.extension_noun}/{number}.png"] = image
        files[f"{plan.extension_noun}/{number}-mask.png"] = mask
    try:
        for name, content in files.items():
            if (folder / name).exists() and (folder / name).read_bytes() != content:
                raise InputError(
                    f"{folder / name} is there already and is not the sample; name another folder with --out"
                )
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}; name another folder with --out") from error
    return [folder / name for name in files]


def _lines(captions: list[str]) -> bytes:
    return "".join(f"{caption}\n" for caption in captions).encode()


def _png(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _marked_pictures(noun: str) -> list[tuple[bytes, bytes]]:
    """Pictures in which a noun shows well, each with its mask, as PNG."""
    index, number = NOUNS.index(noun), 0
    found: list[tuple[bytes, bytes]] = []
    while len(found) < EXEMPLARS:
        scene = paint_scene((SAMPLE_SPLIT, 1, number), EASY, thing=noun)
        mask = scene.labels == index
        if mask.sum() >= LEAST_PIXELS:
            found.append((_png(scene.image), _png(mask)))
        number += 1
    return found
