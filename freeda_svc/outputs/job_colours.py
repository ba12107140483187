"""The colours in which the pictures of one job show its categories: one per category, distinct from the others shown.

A category has the colour of its mask as long as that is distinct from what the job has shown before. Otherwise, as with
datasets whose palettes give grass and a bottle the same green, it gets another one where it first appears. What was
chosen is noted in a file of the job's results, so that later pictures, also of other processes, keep to it.
"""

import fcntl
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.differences import Perceived, distinctness, perceived_tints
from freeda_svc.outputs.masks import UNKNOWN, pixels_by_label
from freeda_svc.outputs.palettes import UNKNOWN_COLOUR, palette

COLOURS_FILE = "colours.jsonl"
"""A line per category, in the order in which they appeared: its name, and red, green and blue."""

_ENOUGH = 1.25
"""As distinctness; a little more than asked for leaves room for the further colours of a picture."""

Rgb = tuple[int, int, int]


def shown_colours(
    folder: Path, names: Sequence[str], preferred: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]
) -> npt.NDArray[np.uint8]:
    """Return the colours that a picture shows its categories in, choosing those that were not shown before.

    Args:
        folder: of the job's results, which keeps what was chosen; where it cannot be written, nothing is kept.
        names: of the categories.
        preferred: (N, 3) uint8, RGB, their colours in masks.
        labels: (H, W) integers, -1 where unknown.

    Returns:
        (N, 3) uint8, RGB; of categories that the job has not shown yet, those preferred.
    """
    shown = [label for label in pixels_by_label(labels) if label != UNKNOWN]
    try:
        with (folder / COLOURS_FILE).open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            noted = _read(content)
            new = _choose(names, preferred, shown, noted)
            lines = "".join(f"{json.dumps([name, *colour], ensure_ascii=False)}\n" for name, colour in new.items())
            broken = content and not content.endswith(b"\n")  # a line that was cut off
            if lines:
                file.write(b"\n" * bool(broken) + lines.encode())
    except OSError:
        noted = _noted(folder)
        new = _choose(names, preferred, shown, noted)
    return _put_in(names, preferred, {**noted, **new})


def noted_colours(folder: Path, names: Sequence[str], preferred: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the (N, 3) uint8 colours of a job's categories as it has shown them, and those preferred of the others."""
    return _put_in(names, preferred, _noted(folder))


def _put_in(names: Sequence[str], preferred: npt.NDArray[np.uint8], noted: Mapping[str, Rgb]) -> npt.NDArray[np.uint8]:
    colours = preferred[: len(names)].copy()
    for index, name in enumerate(names):
        if name in noted:
            colours[index] = noted[name]
    return colours


def _noted(folder: Path) -> dict[str, Rgb]:
    try:
        return _read((folder / COLOURS_FILE).read_bytes())
    except OSError:
        return {}


def _read(content: bytes) -> dict[str, Rgb]:
    noted: dict[str, Rgb] = {}
    for line in content.split(b"\n"):
        try:
            name, *colour = json.loads(line)
            red, green, blue = (int(np.uint8(channel)) for channel in colour)
        except (ValueError, TypeError, OverflowError):
            continue  # a line that was cut off: its category's colour is chosen again
        noted.setdefault(str(name), (red, green, blue))
    return noted


def _choose(
    names: Sequence[str], preferred: npt.NDArray[np.uint8], shown: Iterable[int], noted: Mapping[str, Rgb]
) -> dict[str, Rgb]:
    """Choose colours of the categories that a picture shows and that have none yet, the largest first."""
    shown = list(shown)
    new: dict[str, Rgb] = {}
    missing = [index for index in dict.fromkeys(shown) if names[index] not in noted]
    if not missing:
        return new
    candidates = palette()
    of_candidates = perceived_tints(candidates)
    here = {names[index] for index in shown}
    others = perceived_tints(
        np.array([UNKNOWN_COLOUR, *(colour for name, colour in noted.items() if name not in here)])
    )
    beside = perceived_tints(np.array([colour for name, colour in noted.items() if name in here]))
    for index in missing:
        if names[index] in new:
            continue  # two categories of one name
        own = perceived_tints(preferred[index])
        colour = preferred[index]
        if min(_least(own, others)[0], _least(own, beside)[0]) < 1:
            in_picture, in_job = _least(of_candidates, beside), _least(of_candidates, others)
            # it differs within the picture first of all, and then as much as can be from what the job has shown
            colour = candidates[np.lexsort((np.minimum(in_picture, in_job), np.minimum(in_picture, _ENOUGH)))[-1]]
        new[names[index]] = (int(colour[0]), int(colour[1]), int(colour[2]))
        beside = np.concatenate((beside, perceived_tints(colour)), axis=1)
    return new


def _least(some: Perceived, others: Perceived) -> npt.NDArray[np.float64]:
    """Return how distinct each of some colours, (6, n, 3), is from the nearest of others; infinite without others."""
    return np.asarray(np.min(distinctness(some, others), axis=1, initial=np.inf))
