"""Taking images in: they are checked and copied, so that nothing accepted can be lost or change later."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.input_files import ANYWHERE, InputRules, check_place, open_input
from freeda_svc.settings import Settings
from freeda_svc.whole_files import write_whole

INPUTS = "inputs"
CHUNK = 1 << 20
RESERVED_STEMS = ("coco", "label-studio")
"""Exporting calls files for all images so; no image's files may have these names."""
_LONGEST_STEM, _DIGEST = 230, 8  # bytes; file systems take names of 255
_LONGEST_ENDING = 16
RESERVED_ENDING = ".evidence"
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
    """

    path: Path
    name: str
    stem: str
    proposals: Mapping[str, Any] | None = None


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
    taken = {stem.casefold() for stem in reserved}
    stems = []
    for name in names:
        stem = _fitting(PurePosixPath(name).with_suffix("")).as_posix()
        candidate, number = stem, 1
        while candidate.casefold() in taken or candidate.casefold().endswith(RESERVED_ENDING):
            number += 1
            candidate = f"{stem}-{number}"
        taken.add(candidate.casefold())
        stems.append(candidate)
    return stems


def _fitting(stem: PurePosixPath) -> PurePosixPath:
    """Shorten a stem so much that a number and the endings of results have room in a file name behind it."""
    name = os.fsencode(stem.name)
    if len(name) <= _LONGEST_STEM:
        return stem
    digest = hashlib.sha256(name).hexdigest()[:_DIGEST]  # of the whole name, so that others like it stay apart
    return stem.with_name(f"{name[: _LONGEST_STEM - 1 - _DIGEST].decode(errors='ignore')}~{digest}")


def check_image(image: Path, rules: InputRules = ANYWHERE) -> None:
    """See that a path is an image, from its header, and that it may be read.

    Args:
        image: the path.
        rules: where it has to lie, and how many pixels it may have.

    Raises:
        InputError: it does not exist, is a folder, cannot be read, is no image or too large, or lies elsewhere.
    """
    from freeda_svc.images import check_image_file  # noqa: PLC0415 - listing jobs does without it

    check_place(image, rules.folders)
    check_image_file(image, rules)


def check_images(images: Sequence[Path], rules: InputRules = ANYWHERE) -> None:
    """See that every path is an image that may be read, as ``check_image`` does.

    Raises:
        InputError: none was given, or one is not usable; names the first and says how many more there are.
    """
    if not images:
        raise InputError("no images were given; give at least one image file")
    problems = []
    for image in images:
        try:
            check_image(image, rules)
        except InputError as error:
            problems.append(error)
    if problems:
        more = f" (and {len(problems) - 1} more of {len(images)} files)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}") from problems[0]


def keep_image(settings: Settings, image: Path) -> str:
    """Copy an image into the artifacts under the hash of its content; equal images are kept once.

    Returns:
        The copy's path below the artifact root.

    Raises:
        InputError: the image cannot be read any more, or lies outside of the folders that the settings allow.
        UnavailableError: the copy cannot be written.
    """
    folder = settings.artifacts_folder / INPUTS
    with open_input(image, settings.input_rules) as source:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, aside = tempfile.mkstemp(dir=folder, prefix=".incoming-")
            try:
                with os.fdopen(descriptor, "wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
                    copy.flush()
                    os.fsync(copy.fileno())
                with Path(aside).open("rb") as copied:
                    digest = hashlib.file_digest(copied, "sha256").hexdigest()
                name = f"{digest}{image.suffix.lower()[:_LONGEST_ENDING]}"
                Path(aside).replace(folder / name)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UnavailableError(f"{image} cannot be copied to {folder}: {error.strerror}") from error
    return f"{INPUTS}/{name}"


def keep_bytes(settings: Settings, content: bytes, suffix: str) -> str:
    """Write a file into the artifacts under the hash of its content; equal files are kept once.

    Returns:
        Its path below the artifact root.

    Raises:
        UnavailableError: it cannot be written.
    """
    folder = settings.artifacts_folder / INPUTS
    name = f"{hashlib.sha256(content).hexdigest()}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, content)
    except OSError as error:
        raise UnavailableError(f"{folder / name} cannot be written: {error.strerror}") from error
    return f"{INPUTS}/{name}"
