"""Files of results: the same formats that the service makes, from the same records."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.batches import Stems, keep_evidence
from freeda_svc.errors import InputError
from freeda_svc.library.arguments import described, is_path, read_formats, to_path
from freeda_svc.outputs import (
    EVIDENCE_FORMATS,
    FORMATS,
    InputImage,
    KeptResult,
    SegmentedImage,
    check_formats,
    files_for_all,
    keep_result,
    palette,
    write_collections,
    write_image_files,
)
from freeda_svc.parameters import PieceParameters
from freeda_svc.segmentation import Evidence, Segmentation
from freeda_svc.whole_files import write_whole

SAVED = ".freeda-saved.json"
"""Which images the files for all images in a folder are of, so that those of others are not replaced."""


class Savable(Protocol):
    """What is saved of an image; ``Result`` has it."""

    @property
    def name(self) -> str:
        """The image's file name, perhaps with folders."""

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8, RGB."""

    @property
    def segmentation(self) -> Segmentation:
        """Its labels and scores."""

    @property
    def evidence(self) -> Evidence | None:
        """Why they are what they are; None where it was not collected."""

    @property
    def artifacts(self) -> Path | None:
        """The folder with the thumbnails of the bank's prototypes; None where there are none."""


def save_results(
    results: Iterable[Savable],
    folder: str | os.PathLike[str],
    formats: Iterable[str] | None = None,
    *,
    instances: bool = False,
) -> list[Path]:
    """Write the files of several results to one folder, each whole, replacing those of the same names.

    Args:
        results: of one list of categories where a format is one for all images; taken one at a time.
        folder: is made when it is not there.
        formats: some of ``mask``, ``overlay``, ``summary``, ``scores-png``, ``scores-npz``, ``polygons``, ``coco``,
            ``label-studio``, ``yolo``, ``voc``, ``index``, which docs/formats.md describes, and, of results that
            ``Segmenter.explain`` returned, ``evidence`` and ``evidence-page``; mask, overlay and summary by default.
        instances: whether each connected piece counts by itself in formats of annotations.

    Returns:
        What was written.

    Raises:
        InputError: there is no such format, a format needs evidence that a result does not have, the results have
            different categories, or files of others are in the way.
        UnavailableError: the folder cannot be written.
    """
    if not is_path(folder):
        raise InputError(f"files go to a folder, given by its path, not to {described(folder)}")
    out = to_path(folder)
    chosen = check_files(formats)
    collections = [name for name in chosen if files_for_all([name])]
    written: list[Path] = []
    pictures: list[SegmentedImage] = []
    stems = Stems()
    with TemporaryDirectory(prefix="freeda-") as kept:
        for number, result in enumerate(results):
            if not isinstance(getattr(result, "segmentation", None), Segmentation):
                raise InputError(f"results of a Segmenter are expected; one of them is {described(result)}")
            place = Path(kept) / (str(number) if collections else "one")
            _check_evidence(result, chosen)
            picture = _keep(result, place, stems)
            pictures.append(picture)
            if collections:
                continue
            written += write_image_files(picture, out, chosen).values()
        if collections and pictures:
            noted = _check_own(out, collections, [picture.image.name for picture in pictures])
            for picture in pictures:
                written += write_image_files(picture, out, chosen).values()
            written += write_collections(pictures, out, chosen, pieces=PieceParameters(instances=instances))
            write_whole(out / SAVED, json.dumps(noted, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return written


def check_files(formats: Iterable[str] | None) -> tuple[str, ...]:
    """Check the requested formats; mask, overlay and summary by default.

    Raises:
        InputError: they are no list of formats, or there is no such format here.
    """
    names = [] if formats is None else read_formats(formats)
    if formats is not None and not names:
        raise InputError(f"no format is given; the formats are {', '.join(FORMATS)}")
    return check_formats(names)


def _check_evidence(result: Savable, formats: Sequence[str]) -> None:
    wanted = [name for name in formats if name in EVIDENCE_FORMATS]
    if wanted and result.evidence is None:
        raise InputError(f"the format {wanted[0]!r} needs evidence: save what Segmenter.explain(result) returns")


def _keep(result: Savable, place: Path, stems: Stems) -> SegmentedImage:
    """Keep a result in a folder, from which formats are written."""
    colours = palette(len(result.segmentation.categories))
    keep_result(place, result.segmentation, colours)
    if result.evidence is not None:
        keep_evidence(
            place,
            result.evidence,
            result.image,
            result.segmentation.labels,
            colours=colours,
            artifacts=result.artifacts or place,
            title=result.name,
        )
    image = InputImage(place / "image.png", Path(result.name).as_posix(), stems.take(result.name))
    Image.fromarray(result.image).save(image.path, compress_level=1)
    return SegmentedImage(image, KeptResult(place), colours)


def _check_own(out: Path, collections: Sequence[str], files: Sequence[str]) -> dict[str, list[str]]:
    """Refuse to replace files for all images that are of other images.

    Args:
        out: the folder.
        collections: the formats.
        files: names of the images that are going to be written.

    Returns:
        Which images the files of each format are of when this is done.

    Raises:
        InputError: there are files of other images.
    """
    noted: dict[str, list[str]] = {}
    try:
        found = json.loads((out / SAVED).read_bytes())
        noted = {name: [str(file) for file in of] for name, of in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        pass  # nothing was saved here, or the note is damaged: the files there count as other images'
    for name in collections:
        there = [file for file in files_for_all([name]) if (out / file).exists()]
        if there and not set(noted.get(name, ["?"])) <= set(files):
            raise InputError(
                f"{out / there[0]} holds other images; name another folder, or save all results at once with "
                f"save_results(results, folder, [{name!r}])"
            )
        noted[name] = list(files)
    return noted
