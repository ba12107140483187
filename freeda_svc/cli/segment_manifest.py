"""What a folder of results was made from: what ``freeda segment --resume`` goes by.

A file of JSON lines that only grows. One line tells that a job was submitted for the folder, one that an image's
files were written, one which categories were proposed for all images. Of two lines about one image the later one
counts; a last line that was cut off does not.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.input_files import ANYWHERE, InputRules, open_input

NAME = ".freeda-segment.jsonl"


@dataclass(frozen=True)
class WrittenImage:
    """An image whose files were written.

    Attributes:
        stem: what they are called, without their endings.
        image: SHA-256 of the image file.
        request: digest of what was asked: categories, parameters, pack, and which bank.
        job: id of the job whose result they are.
        number: of the item within the job.
        files: SHA-256 of each file, by its name below the folder.
        bank_version: what was in the bank: ``additions`` and ``removals``; None where that was not noted.

    Raises:
        ValueError: a value is of another kind, as in a line that was damaged.
    """

    stem: str
    image: str
    request: str
    job: str
    number: int
    files: Mapping[str, str]
    bank_version: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        texts = (self.stem, self.image, self.request, self.job)
        usable = (
            all(isinstance(text, str) for text in texts)
            and "/" not in self.job  # it names a folder
            and type(self.number) is int
            and isinstance(self.files, dict)
            and all(isinstance(text, str) for entry in self.files.items() for text in entry)
            and isinstance(self.bank_version, dict | None)
        )
        if not usable:
            raise ValueError("the line is damaged")


class Manifest:
    """The manifest of a folder.

    Attributes:
        folder: the folder of results.
        jobs: ids of the jobs submitted for it, by the digest of what they asked.
        images: what was written, by stem.
        lists: categories that were proposed for all images together, by the digest of the request for proposals.
        damaged: how many lines could not be read; what they told of is done again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, list[str]] = {}
        self.images: dict[str, WrittenImage] = {}
        self.lists: dict[str, list[str]] = {}
        self.damaged = 0
        for line in self._lines():
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError):
                self.damaged += 1

    def note_job(self, request: str, job: str) -> None:
        """Write down that a job was submitted for the folder.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        self._append({"request": request, "job": job})

    def note_list(self, request: str, categories: Sequence[str]) -> None:
        """Write down which categories were proposed for all images together.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        self._append({"request": request, "categories": list(categories)})

    def note_image(self, image: WrittenImage) -> None:
        """Write down that an image's files were written; others that were made alike before still count.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        before = self.images.get(image.stem)
        if before is not None and (before.image, before.request) == (image.image, image.request):
            image = replace(image, files={**before.files, **image.files})
        self._append(asdict(image))

    def holds(self, stem: str, image: str, request: str, files: Mapping[str, str]) -> bool:
        """Whether files of an image are there, whole, and were made from the same image by the same request.

        Args:
            stem: of the image.
            image: SHA-256 of the image file.
            request: digest of what is asked.
            files: the names of the files by format.
        """
        written = self.images.get(stem)
        if written is None or (written.image, written.request) != (image, request):
            return False
        return all(
            name in written.files and digest_of_file(self.folder / name) == written.files[name]
            for name in files.values()
        )

    def _take(self, entry: Mapping[str, Any]) -> None:
        if "stem" in entry:
            image = WrittenImage(**entry)
            self.images[image.stem] = image
            return
        request, job, names = entry["request"], entry.get("job", ""), entry.get("categories", [])
        if not (isinstance(request, str) and isinstance(job, str) and isinstance(names, list) and (job or names)):
            raise ValueError("the line is damaged")
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise ValueError("the line is damaged")
        if names:
            self.lists[request] = names
        else:
            self.jobs.setdefault(request, []).append(job)

    def _lines(self) -> list[bytes]:
        path = self.folder / NAME
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}; give another --out") from error
        return lines[:-1]  # what follows the last line break was cut off

    def _append(self, entry: Mapping[str, Any]) -> None:
        path = self.folder / NAME
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                if file.tell() and file.seek(-1, os.SEEK_END) and file.read() != b"\n":
                    line = b"\n" + line  # behind a line that was cut off
                file.write(line)
        except OSError as error:
            raise UnavailableError(f"{path} cannot be written: {error.strerror}; give another --out") from error
        self._take(entry)


def digest_of_file(path: Path, rules: InputRules = ANYWHERE) -> str:
    """Return the SHA-256 of a file; nothing when it cannot be read, or lies elsewhere than the rules say."""
    try:
        with open_input(path, rules, "file") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (InputError, OSError):
        return ""
