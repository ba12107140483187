"""Regions that a caller gives for an image: a label map, or masks, as arrays, files or COCO's notations."""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, one_line
from freeda_svc.images.arrays import as_array, decode, mask_from_array
from freeda_svc.images.coco_masks import coco_mask
from freeda_svc.images.compression import check_lossless
from freeda_svc.images.files import opened_image, turn_upright
from freeda_svc.input_files import ANYWHERE, InputRules, open_input
from freeda_svc.parameters import OverlapWay

if TYPE_CHECKING:
    import torch

NO_REGION = -1
"""In a map of regions, a pixel that belongs to none."""
MOST_REGIONS = 65_535
"""Of an image; they are stored as PNG of 16 bits."""

MaskEntry = Union[npt.NDArray[np.generic], "torch.Tensor", Image.Image, Mapping[str, Any]]
RegionsSource = Union[MaskEntry, "os.PathLike[str]", str, bytes, Sequence[MaskEntry]]
"""Regions as callers pass them; ``load_regions`` says what of it is taken."""
RegionMap = npt.NDArray[np.int32]

_GREY, _SEVERAL = 2, 3  # dimensions
_PLAIN_MODES = frozenset(("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N"))
_EXPECTED = (
    "regions are a label map (an (H, W) array of whole numbers, or a PNG file, 0 for no region) or masks (an (N, H, W) "
    "bool array, a list of masks or COCO RLEs, or a JSON file of them)"
)
_BEGINNING_BYTES, _EIGHT_BITS = 64, 255
_LARGEST_JSON_BYTES = 1 << 28


def load_regions(
    source: RegionsSource,
    size: tuple[int, int],
    *,
    overlaps: OverlapWay = "refuse",
    rules: InputRules = ANYWHERE,
    what: str = "",
) -> RegionMap:
    """Return the regions of an image as one map.

    Args:
        source: one of

            - a label map: (H, W) whole numbers as an array, a tensor, a Pillow image or an image file compressed
              without losses; every value above 0 is a region, 0 and below are none. Of a colour image every colour
              but black is a region;
            - masks: an (N, H, W) bool array or tensor, or a list of (H, W) masks as ``mask_from_array`` takes them and
              of COCO's: run lengths (``size``, ``counts``), or annotations with a ``segmentation``;
            - a document of COCO with ``annotations`` (as SA-1B has for each image), the JSON file of such a document
              or of a list of masks, or the bytes of a file.
        size: height and width of the upright image.
        overlaps: ``refuse`` masks that overlap, or let the ``smallest`` have a pixel.
        rules: for files: where they must be, and how many pixels they may have.
        what: begins messages, such as ``the regions of photo.png``; follows from the source when empty.

    Returns:
        (H, W) int32: regions from 0 without gaps, in the order of labels or masks, and ``NO_REGION``.

    Raises:
        InputError: it is none of these, cannot be read, has another size than the image, no region, an empty mask,
            more than 65,535 regions, or masks overlap although they must not.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _from_file(path, size, overlaps, rules, what or f"the file of regions {path}")
    what = what or "the regions"
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), size, overlaps, what)
    if isinstance(source, Image.Image):
        return _from_labels(_labels_in(decode(source), what), size, what)
    if isinstance(source, Mapping | list | tuple):
        return _from_masks(source, size, overlaps, what)
    return _from_array(source, size, overlaps, what)


def pack_regions(regions: RegionMap) -> bytes:
    """Return a map of regions as the PNG that ``load_regions`` reads the same map from.

    Args:
        regions: (H, W) int32, as ``load_regions`` returns it.
    """
    kind = np.uint8 if int(regions.max()) < _EIGHT_BITS else np.uint16
    buffer = io.BytesIO()
    Image.fromarray((regions + 1).astype(kind)).save(buffer, format="PNG")
    return buffer.getvalue()


def _is_json(beginning: bytes) -> bool:
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"[", b"{"}


def _from_file(path: Path, size: tuple[int, int], overlaps: OverlapWay, rules: InputRules, what: str) -> RegionMap:
    with open_input(path, rules, "file of regions") as file:
        beginning = file.read(_BEGINNING_BYTES)
        if _is_json(beginning):
            return _from_masks(_parse(beginning + file.read(_LARGEST_JSON_BYTES), what), size, overlaps, what)
    with opened_image(path, rules) as image:
        check_lossless(image, what)
        return _from_labels(_labels_in(turn_upright(image), what), size, what)


def _from_array(source: object, size: tuple[int, int], overlaps: OverlapWay, what: str) -> RegionMap:
    if not hasattr(source, "__array__"):
        raise InputError(f"{_EXPECTED}, not {type(source).__name__}")
    values = as_array(source, _EXPECTED)
    if values.ndim == _SEVERAL and values.dtype.kind in "bui":
        if values.dtype.kind != "b" and values.max(initial=0) > 1:
            raise InputError(f"{what}: an array of {values.shape} must be masks, (N, H, W) of 0 and 1; {_EXPECTED}")
        return _from_masks(list(values), size, overlaps, what)
    if values.ndim != _GREY or values.dtype.kind not in "bui":
        raise InputError(f"{what} are {values.dtype} {values.shape}; {_EXPECTED}")
    return _from_labels(values, size, what)


def _from_bytes(content: bytes, size: tuple[int, int], overlaps: OverlapWay, what: str) -> RegionMap:
    if _is_json(content[:_BEGINNING_BYTES]):
        return _from_masks(_parse(content, what), size, overlaps, what)
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG", "TIFF", "GIF", "BMP"))
    except Exception as error:  # decoders raise anything
        raise InputError(f"{what}: the bytes are neither a lossless image nor JSON; {_EXPECTED}") from error
    with image:
        check_lossless(image, what)
        return _from_labels(_labels_in(decode(turn_upright(image)), what), size, what)


def _parse(content: bytes, what: str) -> Any:  # noqa: ANN401 - any JSON
    if len(content) > _LARGEST_JSON_BYTES:
        raise InputError(f"{what} has more than {_LARGEST_JSON_BYTES:,} bytes; give a label map as PNG")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not valid JSON: {one_line(error)}") from error


def _labels_in(image: Image.Image, what: str) -> npt.NDArray[np.generic]:
    """Return the label of each pixel of a decoded image: its value, or the number of its colour."""
    if image.mode in _PLAIN_MODES:
        return np.asarray(image)
    if image.mode == "F":
        raise InputError(f"{what} has floating point pixels; save labels as PNG with 8 or 16 bits")
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), dtype=np.int32), -1, 0)
    return np.asarray(red + (green << 8) + (blue << 16))  # as COCO numbers the segments of panoptic images


def _check_size(shape: Sequence[int], size: tuple[int, int], what: str, verb: str = "are") -> None:
    if tuple(shape) != size:
        raise InputError(
            f"{what} {verb} {shape[1]} x {shape[0]} pixels large, but the image {size[1]} x {size[0]} (width x "
            "height, upright); give regions of the image's own size"
        )


def _from_labels(labels: npt.NDArray[np.generic], size: tuple[int, int], what: str) -> RegionMap:
    _check_size(labels.shape, size, what)
    values = labels.astype(np.int64) if labels.dtype.kind != "u" or labels.dtype.itemsize > 4 else labels  # noqa: PLR2004
    found, places = np.unique(values, return_inverse=True)
    none = int((found <= 0).sum())
    count = len(found) - none
    if not count:
        raise InputError(f"{what} have no region: every pixel is 0; give each region a number above 0")
    _check_count(count, what)
    numbered: RegionMap = np.maximum(places.reshape(size) - none, NO_REGION).astype(np.int32)
    return numbered


def _check_count(count: int, what: str) -> None:
    if count > MOST_REGIONS:
        raise InputError(f"{what} are {count:,}, more than {MOST_REGIONS:,}; is it a label map, or a photograph?")


def _entries(source: object, what: str) -> list[Any]:
    """Return the masks of a list, of a document with annotations, or of one run length."""
    if isinstance(source, Mapping):
        source = source.get("annotations", [source])
    if not isinstance(source, list | tuple):
        raise InputError(f"{what}: {_EXPECTED}, not annotations that are a {type(source).__name__}")
    if not source:
        raise InputError(f"{what} are an empty list; give at least one mask, or no regions")
    _check_count(len(source), what)
    return list(source)


def _from_masks(source: object, size: tuple[int, int], overlaps: OverlapWay, what: str) -> RegionMap:
    entries = _entries(source, what)
    regions = np.full(size, NO_REGION, dtype=np.int32)
    areas = np.zeros(len(entries) + 1, dtype=np.int64)
    areas[NO_REGION] = np.iinfo(np.int64).max  # the last place, which NO_REGION indexes
    for number, mask in enumerate(_masks(entries, size, what)):
        areas[number] = np.count_nonzero(mask)
        before = regions[mask]
        if overlaps == "refuse" and (before != NO_REGION).any():
            other = int(before.max())
            raise InputError(
                f"{what}: masks {other + 1} and {number + 1} overlap in {np.count_nonzero(before == other):,} pixels, "
                "but a pixel belongs to one region; cut them apart, or set region_overlaps=smallest"
            )
        regions[mask] = np.where(areas[before] >= areas[number], number, before)
    present = np.unique(regions)
    numbers = np.cumsum(np.isin(np.arange(len(entries)), present)) - 1  # masks that smaller ones cover are none
    return np.where(regions < 0, NO_REGION, numbers[regions]).astype(np.int32)


def _masks(entries: Iterable[Any], size: tuple[int, int], what: str) -> Iterator[npt.NDArray[np.bool_]]:
    for number, entry in enumerate(entries, 1):
        name = f"mask {number} of {what}"
        if isinstance(entry, Mapping):
            mask = _coco_entry(entry, size, name)
        elif isinstance(entry, Image.Image):
            mask = np.asarray(_labels_in(decode(entry), name)) != 0
        elif isinstance(entry, list | tuple | str | bytes | os.PathLike | None) or not hasattr(entry, "__array__"):
            raise InputError(f"{name} is a {type(entry).__name__}; expected an (H, W) array or a COCO run length")
        else:
            mask = mask_from_array(entry)
        _check_size(mask.shape, size, name, "is")
        if not mask.any():
            raise InputError(f"{name} is empty; leave it out")
        yield mask


def _coco_entry(entry: Mapping[str, Any], size: tuple[int, int], name: str) -> npt.NDArray[np.bool_]:
    notation = entry.get("segmentation", None if "counts" not in entry else entry)
    if notation is None:
        raise InputError(f"{name} has no counts and no segmentation; expected a COCO run length or annotation")
    notation = dict(notation) if isinstance(notation, Mapping) else notation
    if isinstance(notation, dict) and isinstance(notation.get("counts"), bytes):  # as pycocotools packs them
        notation["counts"] = notation["counts"].decode("ascii", "replace")
    try:
        return coco_mask(notation, *size)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
