"""Finding images: files, folders, glob patterns and lists become images, each with a name for its results."""

import glob
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from freeda_svc.batches.images import check_image
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules, check_place, open_input
from freeda_svc.outputs import InputImage, distinct_stems
from freeda_svc.text_files import decode_text, without_mark

EXPORTED = ".freeda-files.json"
"""Where exports of datasets record which files they wrote."""

_RESULT_ENDINGS = (".mask.png", ".overlay.png", ".scores.png")
_NO_PICTURES = frozenset(
    (".csv", ".geojson", ".html", ".json", ".md", ".npz", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml")
)
"""Endings of files that are passed over silently, results of earlier runs among them."""


@dataclass(frozen=True)
class FoundImages:
    """What was found.

    Attributes:
        images: those that can be segmented, in order.
        problems: one line for each image that cannot.
        folders_left_out: how many subfolders of those given were not searched.
        passed_over: how many files in folders are in no image format that is read, by ending, most frequent first.
    """

    images: list[InputImage]
    problems: list[str]
    folders_left_out: int
    passed_over: Mapping[str, int] = field(default_factory=dict)


def _image_endings() -> frozenset[str]:
    from freeda_svc.images import image_endings  # noqa: PLC0415 - help is shown without it

    return image_endings()


@dataclass
class _Search:
    recursive: bool
    rules: InputRules
    found: dict[Path, tuple[Path, str]] = field(default_factory=dict)  # absolute path to path as typed, and name
    missing: list[str] = field(default_factory=list)
    folders_left_out: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    endings: frozenset[str] = field(default_factory=_image_endings)

    def add(self, path: Path, name: str) -> None:
        self.found.setdefault(Path(os.path.abspath(path)), (path, name))  # noqa: PTH100 - links are kept as they were typed

    def look(self, path: Path) -> None:
        if _is_folder(path):
            self._look_into(path)
        elif not os.path.lexists(path) and glob.has_magic(str(path)):
            self._match(path)
        else:
            self.add(path, path.name)

    def _look_into(self, folder: Path) -> None:
        try:
            check_place(folder, self.rules.folders)
        except InputError as error:
            self.missing.append(str(error))
            return
        left_out = self.folders_left_out
        images = list(self._images_in(folder))
        if not images:
            inside = "; its subfolders are searched with --recursive" if self.folders_left_out > left_out else ""
            self.missing.append(f"the folder {folder} has no images{inside}")
        for image in images:
            self.add(image, image.relative_to(folder).as_posix())

    def _images_in(self, folder: Path) -> Iterator[Path]:
        exported: set[Path] = set()
        for place, folders, files in os.walk(folder):
            exported |= {Path(place) / name for name in _exported_in(Path(place))} if EXPORTED in files else set()
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if not self.recursive:
                self.folders_left_out += len(folders)
                folders.clear()
            for name in sorted(files):
                if self._is_image(name) and Path(place) / name not in exported:
                    yield Path(place) / name

    def _match(self, pattern: Path) -> None:
        matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207 - absolute, too
        images = [match for match in matches if match.is_file() and self._is_image(match.name)]
        if not images:
            self.missing.append(f"no image matches {pattern}")
        for image in images:
            self.add(image, image.name)

    def _is_image(self, name: str) -> bool:
        """Return whether a file of a folder is taken; one in an unknown format is counted."""
        folded = name.casefold()
        if folded.startswith(".") or folded.endswith(_RESULT_ENDINGS):  # hidden, or of an earlier run
            return False
        ending = Path(folded).suffix
        if ending in self.endings:
            return True
        if ending not in _NO_PICTURES:
            self.passed_over[ending] += 1
        return False


def _exported_in(place: Path) -> list[str]:
    """The names of the files that an export of a dataset or an index wrote: copies of images, and small ones."""
    try:
        names = json.loads((place / EXPORTED).read_bytes())
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # what is wrong with it is reported when it is checked


def find_images(
    paths: Iterable[Path],
    lists: Iterable[Path | BinaryIO] = (),
    *,
    recursive: bool = False,
    rules: InputRules = ANYWHERE,
) -> FoundImages:
    """Find images; each is taken once.

    Args:
        paths: image files, folders of them, and patterns such as ``photos/**/*.jpg``.
        lists: files with a path per line, or separated by null characters; also open ones, such as standard input.
        recursive: also search the subfolders of those given.
        rules: where images must be, and how many pixels they may have.

    Returns:
        Those that can be segmented, and what is wrong with the others. An image is named after its file; one from a
        folder keeps its place in it; of others with equal names, each keeps its place below the folder they share.

    Raises:
        InputError: a list cannot be read, or is of another encoding than UTF-8.
    """
    search = _Search(recursive, rules)
    for given in [*paths, *(listed for file in lists for listed in _read_list(file, rules))]:
        search.look(given)
    names = _placed_names({place: name for place, (_, name) in search.found.items()})
    images, problems = [], search.missing
    for (path, _), name, stem in zip(search.found.values(), names, distinct_stems(names), strict=True):
        try:
            check_image(path, rules)
        except InputError as error:
            problems.append(str(error))
        else:
            images.append(InputImage(path, name, stem))
    return FoundImages(images, problems, search.folders_left_out, dict(search.passed_over.most_common()))


def _placed_names(found: Mapping[Path, str]) -> list[str]:
    """Return names, with their folders before those of which there are several."""
    counts = Counter(_folded_stem(name) for name in found.values())
    twice = {path for path, name in found.items() if counts[_folded_stem(name)] > 1}
    if len({path.parent for path in twice}) <= 1:
        return list(found.values())
    shared = os.path.commonpath([path.parent for path in found])
    return [path.relative_to(shared).as_posix() if path in twice else name for path, name in found.items()]


def _folded_stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()  # noqa: PTH122 - the name is no path of this machine


def _can_be_named(path: Path) -> bool:
    """Return whether a path is UTF-8, or that of an existing file whose name is not."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return path.exists()
    return True


def _read_file(file: Path, rules: InputRules) -> bytes:
    if not rules.folders:
        return file.read_bytes()  # a pipe will do, too
    with open_input(file, rules, "list") as opened:
        return opened.read()


def _read_list(file: Path | BinaryIO, rules: InputRules) -> list[Path]:
    name = f"the list {file if isinstance(file, Path) else getattr(file, 'name', 'of images')}"
    try:
        content = _read_file(file, rules) if isinstance(file, Path) else file.read()
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}; give a text file, a path per line") from error
    content = without_mark(content, name)
    parts = content.split(b"\0") if b"\0" in content else content.splitlines()
    paths = [Path(os.fsdecode(part)) for part in parts if part.strip()]
    if not all(_can_be_named(path) for path in paths):
        decode_text(content, name)
    if not paths:
        raise InputError(f"{name} has no paths; give a path per line")
    return paths
