"""The output formats of results: one file per image, or one for all images."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freeda_svc.errors import InputError
from freeda_svc.outputs.collected import COCO, LABEL_STUDIO, write_coco, write_label_studio
from freeda_svc.outputs.contact_sheet import INDEX, write_index
from freeda_svc.outputs.files import copy_whole, make_folder, write_whole
from freeda_svc.outputs.kept import EVIDENCE, EVIDENCE_PAGE, MASK, SUMMARY, SegmentedImage
from freeda_svc.outputs.label_studio import LOCAL_FILES
from freeda_svc.outputs.names import file_text
from freeda_svc.outputs.overlays import write_overlay
from freeda_svc.outputs.polygons import feature_collection
from freeda_svc.outputs.scores import write_score_arrays, write_score_image
from freeda_svc.outputs.voc import FILE as VOC_FILE
from freeda_svc.outputs.voc import write_voc
from freeda_svc.outputs.yolo import FILE as YOLO_FILE
from freeda_svc.outputs.yolo import write_yolo
from freeda_svc.parameters import PieceParameters


def _write_mask(path: Path, picture: SegmentedImage) -> None:
    copy_whole(picture.result.path(MASK), path)


def _write_summary(path: Path, picture: SegmentedImage) -> None:
    copy_whole(picture.result.path(SUMMARY), path)


def _write_overlay(path: Path, picture: SegmentedImage) -> None:
    result = picture.result
    labels, names = result.labels, result.names
    write_overlay(path, picture.pixels(), labels, names, picture.shown_colours(labels))


def _write_score_image(path: Path, picture: SegmentedImage) -> None:
    write_score_image(path, picture.result.scores())


def _write_score_arrays(path: Path, picture: SegmentedImage) -> None:
    result = picture.result
    arrays = {"scores": result.scores(), "labels": result.labels, "categories": np.array(result.names)}
    write_score_arrays(path, {**arrays, **result.regions()})


def _write_polygons(path: Path, picture: SegmentedImage) -> None:
    result = picture.result
    file = file_text(picture.image.name)
    collection = feature_collection(result.labels, result.names, result.category_scores, file)
    write_whole(path, json.dumps(collection, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_evidence(path: Path, picture: SegmentedImage) -> None:
    copy_whole(picture.result.evidence(EVIDENCE), path)


def _write_evidence_page(path: Path, picture: SegmentedImage) -> None:
    copy_whole(picture.result.evidence(EVIDENCE_PAGE), path)


_PER_IMAGE: Mapping[str, tuple[str, Callable[[Path, SegmentedImage], None]]] = {
    "mask": (".mask.png", _write_mask),
    "overlay": (".overlay.png", _write_overlay),
    "summary": (".json", _write_summary),
    "scores-png": (".scores.png", _write_score_image),
    "scores-npz": (".scores.npz", _write_score_arrays),
    "polygons": (".geojson", _write_polygons),
    "evidence": (".evidence.json", _write_evidence),
    "evidence-page": (".evidence.html", _write_evidence_page),
}


@dataclass(frozen=True)
class _Collection:
    """A format that makes files for all images.

    Attributes:
        files: the names of those that are always there.
        write: writes them to a folder, and returns what was written.
        one_list: whether the images must have the same categories.
        folder: where below the folder of results.
    """

    files: tuple[str, ...]
    write: Callable[..., list[Path]]
    one_list: bool = True
    folder: str = ""


_COLLECTIONS: Mapping[str, _Collection] = {
    "coco": _Collection(COCO, write_coco),
    "label-studio": _Collection(LABEL_STUDIO, write_label_studio),
    "yolo": _Collection((YOLO_FILE,), write_yolo, folder="yolo"),
    "voc": _Collection((VOC_FILE,), write_voc, folder="voc"),
    "index": _Collection((INDEX,), write_index, one_list=False),
}

ENDINGS: Mapping[str, str] = {name: ending for name, (ending, _write) in _PER_IMAGE.items()}
"""What the files of one image end in, by format."""

FORMATS = (*_PER_IMAGE, *_COLLECTIONS)
"""All formats, those of one file per image first."""

DEFAULT_FORMATS = ("mask", "overlay", "summary")
"""Written by default."""

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
    return {name: f"{stem}{ENDINGS[name]}" for name in formats if name in ENDINGS}


def files_for_all(formats: Iterable[str]) -> list[str]:
    """Return the names of the files that hold the results of all images."""
    chosen = [_COLLECTIONS[name] for name in formats if name in _COLLECTIONS]
    return [(Path(collection.folder) / file).as_posix() for collection in chosen for file in collection.files]


def formats_of_one_list(formats: Iterable[str]) -> list[str]:
    """Return those formats that need the same categories for all images."""
    return [name for name in formats if name in _COLLECTIONS and _COLLECTIONS[name].one_list]


def write_image_files(picture: SegmentedImage, out: Path, formats: Iterable[str]) -> dict[str, Path]:
    """Write the files that belong to one image, each whole.

    Args:
        picture: the image.
        out: the folder they go to; is made, with those of the stem, when it is not there.
        formats: some of ``FORMATS``; those for all images are ignored.

    Returns:
        What was written, by format.

    Raises:
        InputError: a name is too long for the file system.
        NotFoundError: what was kept of the result is gone.
        UnavailableError: the folder cannot be written.
    """
    written = {}
    for name, file in files_of_image(picture.image.stem, formats).items():
        path = out / file
        make_folder(path.parent)
        _PER_IMAGE[name][1](path, picture)
        written[name] = path
    return written


def write_collections(
    pictures: Sequence[SegmentedImage],
    out: Path,
    formats: Iterable[str],
    *,
    image_prefix: str = LOCAL_FILES,
    pieces: PieceParameters | None = None,
) -> list[Path]:
    """Write the files that hold the results of all images, each whole.

    Args:
        pictures: the images, in order; they have the same categories.
        out: the folder they go to; is made when it is not there.
        formats: some of ``FORMATS``; those of one image are ignored.
        image_prefix: what comes before an image's path in tasks for Label Studio.
        pieces: how masks are cut into pieces in formats of annotations; the defaults when None.

    Returns:
        What was written; nothing when there are no pictures.

    Raises:
        InputError: the images have different categories, or files of others are in the way.
        NotFoundError: what was kept of a result is gone.
        UnavailableError: the folder cannot be written.
    """
    chosen = [name for name in formats if name in _COLLECTIONS] if pictures else []
    check_one_list(pictures, chosen)
    written = []
    for name in chosen:
        collection = _COLLECTIONS[name]
        make_folder(out)
        written += collection.write(
            out / collection.folder, pictures, image_prefix=image_prefix, pieces=pieces or PieceParameters()
        )
    return written


def check_one_list(pictures: Sequence[SegmentedImage], formats: Iterable[str]) -> None:
    """See that images have the same categories, where files for all of them need that.

    Raises:
        InputError: they have different ones.
        NotFoundError: what was kept of a result is gone.
    """
    of_one_list = formats_of_one_list(formats)
    if not of_one_list or not pictures:
        return
    names = pictures[0].result.names
    if any(picture.result.names != names for picture in pictures[1:]):
        raise InputError(
            "the images have different categories, and files for all images hold those of one list; "
            f"leave out {' and '.join(of_one_list)}"
        )
