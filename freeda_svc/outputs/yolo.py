"""YOLO's segmentation format: ``data.yaml``, ``images``, and ``labels``: one text file per image, one polygon per line.

A line is a class and the corners of one polygon, x and y in shares of the image's width and height. It has one ring:
holes are joined to it by cuts without width, so that filling it leaves them out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.images import is_upright
from freeda_svc.input_files import KEPT
from freeda_svc.outputs.dataset_folders import DatasetFolder, write_image
from freeda_svc.outputs.files import write_whole
from freeda_svc.outputs.kept import SegmentedImage
from freeda_svc.outputs.names import flat_names, plain_name
from freeda_svc.outputs.pieces import Piece, as_text, find_pieces
from freeda_svc.outputs.polygons import one_ring, trace_piece
from freeda_svc.parameters import PieceParameters

FILE = "data.yaml"
_READ_AS_THEY_ARE = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
_DIGITS = 6


def write_yolo(
    root: Path,
    pictures: Sequence[SegmentedImage],
    *,
    pieces: PieceParameters,
    **_options: Any,  # noqa: ANN401 - of other formats
) -> list[Path]:
    """Write a folder that Ultralytics' tools train on; its images are all in one split.

    Args:
        root: the folder.
        pictures: the images, with the same categories.
        pieces: which pieces are taken; each is a line.

    Returns:
        What was written.

    Raises:
        InputError: files of others are in the way.
        UnavailableError: the folder cannot be written.
    """
    names = flat_names([picture.image.stem for picture in pictures])
    as_they_are = [
        picture.image.path.suffix.lower() in _READ_AS_THEY_ARE and is_upright(picture.image_file(), KEPT)
        for picture in pictures
    ]
    images = [
        f"images/{name}{picture.image.path.suffix.lower() if as_it_is else '.png'}"
        for picture, name, as_it_is in zip(pictures, names, as_they_are, strict=True)
    ]
    labels = [f"labels/{name}.txt" for name in names]
    folder = DatasetFolder(root, [*images, *labels, FILE])
    for picture, image, label, as_it_is in zip(pictures, images, labels, as_they_are, strict=True):
        write_image(picture, folder.path(image), as_it_is=as_it_is)
        of_picture = picture.result.labels
        lines = (f"{polygon_line(piece, of_picture.shape)}\n" for piece in find_pieces(of_picture, pieces))
        write_whole(folder.path(label), "".join(lines).encode("ascii"))
    about = f"# segmented by freeda: {as_text(pieces)}; train and val are the same images\n"
    classes = dict(enumerate(plain_name(name) for name in pictures[0].result.names))
    import yaml  # noqa: PLC0415 - other formats do without it

    content = yaml.safe_dump(
        {"train": "images", "val": "images", "names": classes}, allow_unicode=True, sort_keys=False
    )
    write_whole(folder.path(FILE), f"{about}{content}".encode())
    return folder.finish()


def polygon_line(piece: Piece, size: tuple[int, ...]) -> str:
    """Return the line of a piece of an image of a height and width."""
    height, width = size
    ring = one_ring(trace_piece(piece)) + np.array((piece.left, piece.top))
    shares: npt.NDArray[np.float64] = ring[:-1] / np.array((width, height))  # it closes by itself
    return " ".join((str(piece.category), *(f"{share:.{_DIGITS}g}" for share in shares.ravel())))
