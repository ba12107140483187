"""The formats that results are handed over in: one file an image, or one for all of them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.images import read_image
from freeda_svc.outputs.collected import COLLECTIONS
from freeda_svc.outputs.files import copy_whole, write_whole
from freeda_svc.outputs.kept import EVIDENCE, EVIDENCE_PAGE, MASK, SUMMARY, KeptResult
from freeda_svc.outputs.overlays import write_overlay
from freeda_svc.outputs.polygons import feature_collection
from freeda_svc.outputs.scores import write_score_arrays, write_score_image
from freeda_svc.outputs.shown_colours import shown_colours


@dataclass(frozen=True)
class Picture:
    """A segmented image that is to be handed over.

    Attributes:
        stem: what its files are called, without their endings: a path relative to the folder they go to.
        file: the image's own name, perhaps with folders, as other programs are told it.
        image: where its pixels are.
        result: what is kept of its segmentation.
        colours: (N, 3) uint8, RGB, one a category.
    """

    stem: str
    file: str
    image: Path
    result: KeptResult
    colours: npt.NDArray[np.uint8]


def _write_mask(path: Path, picture: Picture) -> None:
    copy_whole(picture.result.path(MASK), path)


def _write_summary(path: Path, picture: Picture) -> None:
    copy_whole(picture.result.path(SUMMARY), path)


def _write_overlay(path: Path, picture: Picture) -> None:
    result = picture.result
    labels, names = result.labels, result.names
    colours = shown_colours(result.folder.parent, names, picture.colours, labels)
    write_overlay(path, read_image(picture.image), labels, names, colours)


def _write_score_image(path: Path, picture: Picture) -> None:
    write_score_image(path, picture.result.scores())


def _write_score_arrays(path: Path, picture: Picture) -> None:
    result = picture.result
    arrays = {"scores": result.scores(), "labels": result.labels, "categories": np.array(result.names)}
    write_score_arrays(path, {**arrays, **result.regions()})


def _write_polygons(path: Path, picture: Picture) -> None:
    result = picture.result
    collection = feature_collection(result.labels, result.names, result.category_scores, picture.file)
    write_whole(path, json.dumps(collection, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_evidence(path: Path, picture: Picture) -> None:
    copy_whole(picture.result.evidence(EVIDENCE), path)


def _write_evidence_page(path: Path, picture: Picture) -> None:
    copy_whole(picture.result.evidence(EVIDENCE_PAGE), path)


_PER_IMAGE: Mapping[str, tuple[str, Callable[[Path, Picture], None]]] = {
    "mask": (".mask.png", _write_mask),
    "overlay": (".overlay.png", _write_overlay),
    "summary": (".json", _write_summary),
    "scores-png": (".scores.png", _write_score_image),
    "scores-npz": (".scores.npz", _write_score_arrays),
    "polygons": (".geojson", _write_polygons),
    "evidence": (".evidence.json", _write_evidence),
    "evidence-page": (".evidence.html", _write_evidence_page),
}

FORMATS = (*_PER_IMAGE, *COLLECTIONS)
"""All formats, those of one file an image first."""

DEFAULT_FORMATS = ("mask", "overlay", "summary")
"""What is written when nobody says."""

EVIDENCE_FORMATS = ("evidence", "evidence-page")
"""What can be written only where evidence was asked for."""


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Return formats in their usual order, each once; the usual ones when none are given.

    Raises:
        InputError: there is no such format.
    """
    asked = set(formats) or set(DEFAULT_FORMATS)
    unknown = asked - set(FORMATS)
    if unknown:
        raise InputError(f"there is no format {min(unknown)!r}; the formats are {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in asked)


def files_of_image(stem: str, formats: Iterable[str]) -> dict[str, str]:
    """Return the name of the file that each format makes of one image; formats for all images make none."""
    return {name: f"{stem}{_PER_IMAGE[name][0]}" for name in formats if name in _PER_IMAGE}


def files_for_all(formats: Iterable[str]) -> list[str]:
    """Return the names of the files that hold the results of all images."""
    return [file for name in formats if name in COLLECTIONS for file in COLLECTIONS[name][0]]


def write_image_files(picture: Picture, out: Path, formats: Iterable[str]) -> dict[str, Path]:
    """Write the files that belong to one image, each whole.

    Args:
        picture: the image.
        out: the folder they go to; is made, with those of the stem, when it is not there.
        formats: some of ``FORMATS``; those for all images are passed over.

    Returns:
        What was written, by format.

    Raises:
        NotFoundError: what was kept of the result is gone.
        UnavailableError: the folder cannot be written.
    """
    written = {}
    for name, file in files_of_image(picture.stem, formats).items():
        path = out / file
        _make(path.parent)
        _PER_IMAGE[name][1](path, picture)
        written[name] = path
    return written


def write_collections(pictures: Sequence[Picture], out: Path, formats: Iterable[str], **options: str) -> list[Path]:
    """Write the files that hold the results of all images, each whole.

    Args:
        pictures: the images, in order; they have the same categories.
        out: the folder they go to; is made when it is not there.
        formats: some of ``FORMATS``; those of one image are passed over.
        options: ``image_prefix`` for Label Studio.

    Returns:
        What was written; nothing when there are no pictures.

    Raises:
        InputError: the images have different categories.
        NotFoundError: what was kept of a result is gone.
        UnavailableError: the folder cannot be written.
    """
    chosen = [COLLECTIONS[name] for name in formats if name in COLLECTIONS] if pictures else []
    if chosen and any(picture.result.names != pictures[0].result.names for picture in pictures[1:]):
        raise InputError(
            "the images have different categories, and files for all images hold those of one list; "
            f"leave out the formats {' and '.join(COLLECTIONS)}"
        )
    written = []
    for names, write in chosen:
        _make(out)
        paths = [out / name for name in names]
        write(paths, pictures, **options)
        written += paths
    return written


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be written: {error.strerror}; name another folder") from error
