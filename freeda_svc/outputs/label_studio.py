"""Predictions for Label Studio: brush masks that an annotator begins with.

A brush mask is the picture's four channels, one pixel after the other along the rows, packed bit by bit: the number of
values (32 bits), the size of a value less one (5), four sizes of run lengths less one (4 each), then blocks. A block is
one bit (1: a run of one value), two bits that choose the size of its length, the length less one, and the value.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.masks import category_runs
from freeda_svc.outputs.names import plain_name

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves the files of the folder that is configured as its local storage."""

IMAGE, BRUSH = "image", "brush"
"""Names of the picture and of the brush in the labelling configuration."""

_STORAGES = frozenset(("s3", "gs", "azure-blob"))
_CHANNELS = 4
_INSIDE = 255
_VALUE_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)
_LONGEST_RUN = 1 << _LENGTH_BITS[-1]
_BYTE = 8
_ID_DIGITS = 10


def _bits_of(number: int, bits: int) -> list[int]:
    return [(number >> place) & 1 for place in reversed(range(bits))]


def pack_brush(lengths: npt.NDArray[np.int64]) -> list[int]:
    """Pack the run lengths of a mask into the bytes of Label Studio's brush.

    Args:
        lengths: (n,) int64, runs of pixels along the rows, outside first; the first may be 0.

    Returns:
        Bytes, 0 to 255.
    """
    values = np.where(np.arange(len(lengths)) % 2, _INSIDE, 0)
    runs = lengths * _CHANNELS
    blocks = -(-runs // _LONGEST_RUN)
    value = np.repeat(values, blocks)
    length = np.full(len(value), _LONGEST_RUN, dtype=np.int64)
    last = np.cumsum(blocks)[blocks > 0] - 1
    length[last] = runs[blocks > 0] - (blocks[blocks > 0] - 1) * _LONGEST_RUN
    choice = np.searchsorted([1 << bits for bits in _LENGTH_BITS], length)
    length_bits = np.array(_LENGTH_BITS)[choice]
    codes = (((0b100 | choice) << length_bits | (length - 1)) << _VALUE_BITS) | value
    sizes = 3 + length_bits + _VALUE_BITS

    header = [*_bits_of(int(runs.sum()), 32), *_bits_of(_VALUE_BITS - 1, 5)]
    header += [bit for bits in _LENGTH_BITS for bit in _bits_of(bits - 1, 4)]
    total = len(header) + int(sizes.sum())
    stream = np.zeros(total + _BYTE - total % _BYTE, dtype=np.uint8)
    stream[: len(header)] = header
    begins = len(header) + np.cumsum(sizes) - sizes
    for size in np.unique(sizes).tolist():
        chosen = sizes == size
        places = np.arange(size)
        stream[begins[chosen][:, None] + places] = (codes[chosen][:, None] >> (size - 1 - places)) & 1
    return [int(byte) for byte in np.packbits(stream)]


def _brush_results(
    labels: npt.NDArray[np.int32], names: Sequence[str], scores: Sequence[float | None], key: str
) -> Iterator[dict[str, Any]]:
    height, width = labels.shape
    for category, lengths in category_runs(labels.ravel()):
        score = scores[category]
        yield {
            "id": hashlib.sha256(f"{key}\0{category}".encode()).hexdigest()[:_ID_DIGITS],
            "type": "brushlabels",
            "from_name": BRUSH,
            "to_name": IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": pack_brush(lengths), "brushlabels": [plain_name(names[category])]},
            **({} if score is None else {"score": round(score, 6)}),
        }


def label_studio_task(
    labels: npt.NDArray[np.int32],
    names: Sequence[str],
    scores: Sequence[float | None],
    *,
    file: str,
    prefix: str = LOCAL_FILES,
    model: str,
) -> dict[str, Any]:
    """Make the task of one image, with its masks as a prediction.

    Args:
        labels: (H, W) int32, -1 where unknown.
        names: of the categories.
        scores: mean score of each category; None where it is absent.
        file: path of the image, as Label Studio is to find it behind the prefix.
        prefix: what comes before it; behind one of a storage (s3, gs, azure-blob) the path is a key and written as it
            is, otherwise characters that addresses cannot hold are written as %20 and the like.
        model: what made the masks.

    Returns:
        What a file for Label Studio's import has one of for every image.
    """
    results = list(_brush_results(labels, names, scores, file))
    found = [result["score"] for result in results if "score" in result]
    return {
        "data": {IMAGE: prefix + (file if _is_storage(prefix) else quote(file))},
        "predictions": [
            {"model_version": model, "score": round(sum(found) / len(found), 6) if found else 0.0, "result": results}
        ],
    }


def _is_storage(prefix: str) -> bool:
    """Whether an address is looked up as a key, letter by letter, instead of being asked of a server."""
    scheme, separator, _ = prefix.partition("://")
    return bool(separator) and scheme.casefold() in _STORAGES


def label_studio_configuration(names: Sequence[str], colours: npt.NDArray[np.uint8]) -> str:
    """Write the labelling configuration that the tasks belong to: one brush with every category in its colour."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    brush = ET.SubElement(view, "BrushLabels", name=BRUSH, toName=IMAGE)
    for name, colour in zip(names, colours.tolist(), strict=True):
        ET.SubElement(brush, "Label", value=plain_name(name), background="#{:02x}{:02x}{:02x}".format(*colour))
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"
