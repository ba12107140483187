"""Images that are to be segmented, and the names of their results: no two images of a folder share them."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

RESERVED_STEMS = ("coco", "coco.results", "label-studio")
"""Exporting calls files for all images so; no image's files may have these names."""
_LONGEST_STEM, _DIGEST = 230, 8  # bytes; file systems take names of 255
_RESERVED_ENDING = ".evidence"
"""No stem ends so: ``cat.evidence.json`` is the evidence of ``cat``, not the summary of ``cat.evidence``."""


@dataclass(frozen=True)
class InputImage:
    """An image that is to be segmented.

    Attributes:
        path: where it lies.
        name: what it is called in lists and in files for other programs: its file name, perhaps with folders.
        stem: what the files of its result are called, without their endings: a path relative to the folder that they
            are exported to.
        proposals: what was proposed for it, as ``freeda_svc.segmentation.proposal_values`` returns it, where its
            categories come from proposals for many images; None otherwise.
        regions: a file with regions of the caller's own, as ``freeda_svc.images.load_regions`` reads it; None where
            there is none.
    """

    path: Path
    name: str
    stem: str
    proposals: Mapping[str, Any] | None = None
    regions: Path | None = None


def name_images(images: Iterable[Path]) -> list[InputImage]:
    """Call images by their file names; further ones of a stem become ``cat-2``, ``cat-3``."""
    paths = list(images)
    stems = distinct_stems([path.name for path in paths])
    return [InputImage(path, path.name, stem) for path, stem in zip(paths, stems, strict=True)]


def distinct_stems(names: Sequence[str], reserved: Iterable[str] = RESERVED_STEMS) -> list[str]:
    """Give each file a stem of its own, also where letter case does not count.

    Args:
        names: of files, perhaps with folders, which are kept.
        reserved: stems that none of them gets.

    >>> distinct_stems(["a.jpg", "a.png", "A.png", "b/a.png", "a.evidence.png"])
    ['a', 'a-2', 'A-3', 'b/a', 'a.evidence-2']
    """
    stems = Stems(reserved)
    return [stems.take(name) for name in names]


class Stems:
    """Gives files stems of their own, one after the other, as ``distinct_stems`` does."""

    def __init__(self, reserved: Iterable[str] = RESERVED_STEMS) -> None:
        """Take the stems that no file gets."""
        self._taken = {stem.casefold() for stem in reserved}

    def take(self, name: str) -> str:
        """Return the stem of the next file, whose name may have folders."""
        stem = _fitting(PurePosixPath(name).with_suffix("")).as_posix()
        candidate, number = stem, 1
        while candidate.casefold() in self._taken or candidate.casefold().endswith(_RESERVED_ENDING):
            number += 1
            candidate = f"{stem}-{number}"
        self._taken.add(candidate.casefold())
        return candidate


def _fitting(stem: PurePosixPath) -> PurePosixPath:
    """Shorten a stem so that a number and the endings of results fit into a file name behind it."""
    name = os.fsencode(stem.name)
    if len(name) <= _LONGEST_STEM:
        return stem
    digest = hashlib.sha256(name).hexdigest()[:_DIGEST]  # of the whole name, so that others like it stay apart
    return stem.with_name(f"{name[: _LONGEST_STEM - 1 - _DIGEST].decode(errors='ignore')}~{digest}")
