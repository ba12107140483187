"""Pascal VOC's folders: images, indexed masks of classes and of objects, lists of names, and what the colours mean."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import is_upright, voc_colours
from freeda_svc.input_files import KEPT
from freeda_svc.outputs.dataset_folders import DatasetFolder, is_plain_jpeg, write_image
from freeda_svc.outputs.files import write_whole
from freeda_svc.outputs.kept import SegmentedImage
from freeda_svc.outputs.names import flat_names, plain_name
from freeda_svc.outputs.pieces import Piece, find_pieces
from freeda_svc.parameters import PieceParameters

FILE = "labelmap.txt"
VOID = 255
"""The value of borders in VOC, and here of what belongs to no category or object."""

BACKGROUND = "background"
_MOST = 254
_LISTS = ("ImageSets/Segmentation/train.txt", "ImageSets/Segmentation/trainval.txt")


def write_voc(
    root: Path,
    pictures: Sequence[SegmentedImage],
    *,
    pieces: PieceParameters,
    **_options: Any,  # noqa: ANN401 - of other formats
) -> list[Path]:
    """Write the folders ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject`` and ``ImageSets/Segmentation``.

    The values of classes are positions in the list of categories, counted from 1; 0 is for the one that is called
    background, if any, and 255 for what is unknown. Objects are connected pieces, numbered from 1 in each image.

    Args:
        root: the folder of these folders.
        pictures: the images, with the same categories.
        pieces: which pieces are taken.

    Returns:
        What was written.

    Raises:
        InputError: there are more categories than eight bits can hold, or files of others are in the way.
        UnavailableError: the folder cannot be written.
    """
    values = class_values(pictures[0].result.names)
    names = flat_names([picture.image.stem for picture in pictures])
    files = [
        (f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png", f"SegmentationObject/{name}.png") for name in names
    ]
    folder = DatasetFolder(root, [*(file for of_picture in files for file in of_picture), *_LISTS, FILE])
    for picture, (image, classes, objects) in zip(pictures, files, strict=True):
        as_it_is = is_plain_jpeg(picture.image_file()) and is_upright(picture.image_file(), KEPT)
        write_image(picture, folder.path(image), as_it_is=as_it_is)
        labels = picture.result.labels
        of_classes, of_objects = paint(find_pieces(labels, pieces), values, labels.shape)
        _write_indexed(folder.path(classes), of_classes)
        _write_indexed(folder.path(objects), of_objects)
    for listing in _LISTS:
        write_whole(folder.path(listing), "".join(f"{name}\n" for name in names).encode())
    write_whole(folder.path(FILE), label_map(pictures[0].result.names).encode())
    return folder.finish()


def class_values(names: Sequence[str]) -> list[int]:
    """Return the pixel value of each category.

    Raises:
        InputError: there are more than eight bits can hold.
    """
    first = next((index for index, name in enumerate(names) if name.strip().casefold() == BACKGROUND), None)
    others = iter(range(1, len(names) + 1))
    values = [0 if index == first else next(others) for index in range(len(names))]
    if max(values) > _MOST:
        raise InputError(f"VOC's masks hold at most {_MOST} classes, not {max(values)}; leave out the format voc")
    return values


def paint(
    pieces: Sequence[Piece], values: Sequence[int], size: tuple[int, ...]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Paint the masks of classes and of objects, (H, W) uint8 each, the largest pieces first.

    Of more than 254 objects the smallest are void.
    """
    classes, objects = (np.full(size, VOID, dtype=np.uint8) for _ in range(2))
    order = sorted(range(len(pieces)), key=lambda place: -pieces[place].area)
    things = sorted([place for place in order if values[pieces[place].category]][:_MOST])
    numbers = {place: number for number, place in enumerate(things, start=1)}
    for place in order:
        piece = pieces[place]
        value = values[piece.category]
        classes[piece.box][piece.inside] = value
        objects[piece.box][piece.inside] = numbers.get(place, VOID) if value else 0
    return classes, objects


def label_map(names: Sequence[str]) -> str:
    """Return what the colours of masks mean, a class a line, in the form that CVAT and Datumaro read."""
    values = class_values(names)
    called = {value: _field(name) for value, name in zip(values, names, strict=True)}
    called.setdefault(0, BACKGROUND)
    colours = voc_colours(_MOST + 2)
    lines = [f"{called[value]}:{','.join(map(str, colours[value].tolist()))}::" for value in sorted(called)]
    return "\n".join(("# label:color_rgb:parts:actions", *lines, ""))


def _field(name: str) -> str:
    """A name between colons, at the beginning of a line."""
    plain = " ".join(plain_name(name).replace(":", " ").split())
    return f"_{plain}" if plain.startswith("#") or not plain else plain


def _write_indexed(path: Path, values: npt.NDArray[np.uint8]) -> None:
    image = Image.fromarray(values)
    image.putpalette(voc_colours(VOID + 1).tobytes())
    content = BytesIO()
    image.save(content, format="PNG")
    write_whole(path, content.getvalue())
