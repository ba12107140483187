"""Predictions for Label Studio: masks, polygons and rectangles that an annotator begins with.

A brush mask is the picture's four channels, one pixel after the other along the rows, packed bit by bit: the number of
values (32 bits), the size of a value less one (5), four sizes of run lengths less one (4 each), then blocks. A block is
one bit (1: a run of one value), two bits that choose the size of its length, the length less one, and the value.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.outputs.mark_controls import MarkControl, MarkKind
from freeda_svc.outputs.masks import category_runs
from freeda_svc.outputs.names import file_text, plain_name
from freeda_svc.parameters import PieceParameters

if TYPE_CHECKING:
    from freeda_svc.outputs.pieces import Piece

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
_PERCENT = 100.0
_DIGITS = 6


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


def unpack_brush(packed: Sequence[int], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Read the bytes of a brush, as Label Studio's editor sends them.

    Args:
        packed: bytes, 0 to 255.
        size: of the image, height and width.

    Returns:
        (H, W) bool, the pixels that are not quite transparent.

    Raises:
        InputError: they are damaged, or of an image of another size.
    """
    try:
        bits = np.unpackbits(np.frombuffer(bytes(packed), dtype=np.uint8))
    except (TypeError, ValueError) as error:
        raise InputError("a brush is a list of bytes from 0 to 255") from error
    text = (bits + ord("0")).tobytes()
    place = 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        if place > len(text):
            raise InputError("the brush ends early")
        return int(text[place - count : place], 2)

    expected = size[0] * size[1] * _CHANNELS
    if read(32) != expected or read(5) != _VALUE_BITS - 1:
        raise InputError(f"the brush is not of an image of {size[1]} x {size[0]} pixels with four channels of 8 bits")
    lengths = [read(4) + 1 for _ in range(len(_LENGTH_BITS))]
    values = np.zeros(expected, dtype=np.uint8)
    filled = 0
    while filled < expected:
        is_run, count = read(1), read(lengths[read(2)]) + 1
        if filled + count > expected:
            raise InputError("the brush has more values than its image")
        if is_run:
            values[filled : filled + count] = read(_VALUE_BITS)
        else:
            begin, place = place, place + count * _VALUE_BITS
            if place > len(text):
                raise InputError("the brush ends early")
            values[filled : filled + count] = np.packbits(bits[begin:place])
        filled += count
    return np.asarray(values.reshape(*size, _CHANNELS)[..., _CHANNELS - 1] > 0)


def mark_regions(
    control: MarkControl,
    labels: npt.NDArray[np.int32],
    names: Sequence[str],
    scores: Sequence[float | None],
    *,
    key: str,
    pixel_scores: npt.NDArray[np.float32] | None = None,
    least_area: int = 0,
) -> list[dict[str, Any]]:
    """Mark the regions of an image with a control.

    Args:
        control: a brush marks each category once; polygons and rectangles mark each connected piece.
        labels: (H, W) int32, -1 where unknown.
        names: of the categories.
        scores: mean score of each category; None where it is absent.
        key: what tells the image from others, from which the marks' ids are derived.
        pixel_scores: (H, W) float32, from which pieces get scores of their own; needed for polygons and rectangles.
        least_area: of pieces, pixels; smaller ones are not marked.

    Returns:
        Results as Label Studio has them; polygons are outlines as ``outline_of`` draws them.
    """
    if control.kind is MarkKind.BRUSH:
        marks = list(_brush_values(control, labels, names, scores))
    else:
        assert pixel_scores is not None
        marks = list(_piece_values(control, labels, names, pixel_scores, least_area))
    height, width = labels.shape
    return [
        {
            "id": hashlib.sha256("\0".join((key, *part)).encode()).hexdigest()[:_ID_DIGITS],
            "type": control.kind.value,
            "from_name": control.name,
            "to_name": control.image,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": value,
            **({} if score is None else {"score": round(score, 6)}),
        }
        for part, value, score in marks
    ]


_Mark = tuple[tuple[str, ...], dict[str, Any], float | None]
"""What tells it from other marks of the image, its value, its score."""


def _brush_values(
    control: MarkControl, labels: npt.NDArray[np.int32], names: Sequence[str], scores: Sequence[float | None]
) -> Iterator[_Mark]:
    own = "" if control.name == BRUSH else control.name
    for category, lengths in category_runs(labels.ravel()):
        label = control.labels.get(names[category])
        if label is not None:
            value = {"format": "rle", "rle": pack_brush(lengths), control.kind.value: [plain_name(label)]}
            yield (*filter(None, [own]), str(category)), value, scores[category]


def _piece_values(
    control: MarkControl,
    labels: npt.NDArray[np.int32],
    names: Sequence[str],
    pixel_scores: npt.NDArray[np.float32],
    least_area: int,
) -> Iterator[_Mark]:
    from freeda_svc.outputs.pieces import find_pieces  # noqa: PLC0415 - brushes do without it

    shape_of = _polygon if control.kind is MarkKind.POLYGON else _rectangle
    for number, piece in enumerate(find_pieces(labels, PieceParameters(least_area=max(1, least_area)))):
        label = control.labels.get(names[piece.category])
        if label is not None:
            value = {**shape_of(piece, labels.shape), control.kind.value: [plain_name(label)]}
            yield (control.name, str(piece.category), str(number)), value, piece.mean(pixel_scores, labels)


def _polygon(piece: "Piece", size: tuple[int, ...]) -> dict[str, Any]:
    """The value of a polygon, in percents of the image."""
    from freeda_svc.outputs.polygons import outline_of  # noqa: PLC0415 - as above

    height, width = size
    corners = outline_of(piece, size) * [_PERCENT / width, _PERCENT / height]
    return {"points": corners.round(_DIGITS).tolist(), "closed": True}


def _rectangle(piece: "Piece", size: tuple[int, ...]) -> dict[str, Any]:
    """The value of the rectangle around a piece, in percents of the image."""
    height, width = size
    tall, wide = piece.inside.shape
    return {
        "x": _PERCENT * piece.left / width,
        "y": _PERCENT * piece.top / height,
        "width": _PERCENT * wide / width,
        "height": _PERCENT * tall / height,
        "rotation": 0,
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
    control = MarkControl(BRUSH, IMAGE, MarkKind.BRUSH, {name: name for name in names})
    results = mark_regions(control, labels, names, scores, key=file_text(file))
    place = file_text(file) if _is_storage(prefix) else quote(os.fsencode(file))
    return {
        "data": {IMAGE: prefix + place},
        "predictions": [prediction_of(results, model)],
    }


def prediction_of(results: list[dict[str, Any]], model: str) -> dict[str, Any]:
    """Return marks as a prediction, whose score is the mean of theirs; ``model`` says what made them."""
    found = [result["score"] for result in results if "score" in result]
    return {"model_version": model, "score": round(sum(found) / len(found), 6) if found else 0.0, "result": results}


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
