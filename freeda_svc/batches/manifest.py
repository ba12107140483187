"""What a folder of results was made from, so that a later run can skip what is done.

A file of JSON lines that is only appended to. A line records that a job was submitted for the folder, that an image's
files were written, or which categories were proposed for all images. Of two lines about one image the later one
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
class ManifestEntry:
    """The line about one image whose files were written.

    Attributes:
        stem: what they are called, without their endings.
        image: SHA-256 of the image file.
        request: digest of what was asked: categories, parameters, pack, and which bank.
        job: id of the job whose result they are; empty when the image was segmented without one.
        number: of the item within the job; 0 without one.
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


class ResultsManifest:
    """The manifest of a folder.

    Attributes:
        folder: the folder of results.
        jobs: ids of the jobs submitted for it, by the digest of what they asked.
        images: what was written, by stem.
        lists: categories that were proposed for all images together, by the digest of the request for proposals.
        damaged: how many lines could not be read; the images they recorded are done again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, list[str]] = {}
        self.images: dict[str, ManifestEntry] = {}
        self.lists: dict[str, list[str]] = {}
        self.damaged = 0
        for line in self._lines():
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError):
                self.damaged += 1

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.folder / NAME

    def note_job(self, request: str, job: str) -> None:
        """Record that a job was submitted for the folder.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        self._append({"request": request, "job": job})

    def note_list(self, request: str, categories: Sequence[str]) -> None:
        """Record which categories were proposed for all images together.

        Raises:
            UnavailableError: the folder cannot be written.
        """
        self._append({"request": request, "categories": list(categories)})

    def note_image(self, image: ManifestEntry) -> None:
        """Record that an image's files were written; earlier files of the same image and request still count.

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
            image = ManifestEntry(**entry)
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
        path = self.path
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}; choose another folder") from error
        return lines[:-1]  # what follows the last line break was cut off

    def _append(self, entry: Mapping[str, Any]) -> None:
        path = self.path
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"  # names need not be UTF-8
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as file:
                if file.tell() and file.seek(-1, os.SEEK_END) and file.read() != b"\n":
                    line = b"\n" + line  # behind a line that was cut off
                file.write(line)
        except OSError as error:
            raise UnavailableError(f"{path} cannot be written: {error.strerror}; choose another folder") from error
        self._take(entry)


def digest_of_request(
    *,
    pack: str,
    masks: str,
    segmentation: Mapping[str, Any],
    bank: str,
    bank_created: str,
    categories: Sequence[Mapping[str, Any]] | None,
    colours: Sequence[Sequence[int]] = (),
    explain: bool = False,
    only_propose: bool = False,
) -> str:
    """Return a digest that is equal for requests of which an image gets equal results while the bank stays the same.

    Args:
        pack: fingerprint of the model pack; it does not depend on the parameters of segmentation.
        masks: fingerprint of the pack's mask generator, which counts where regions are its masks.
        segmentation: all of these, as plain values.
        bank: name and version of the bank.
        bank_created: when that version was made, which distinguishes it from another bank of the same name.
        categories: plain values of the categories, of which empty ones do not count; None where the bank proposes
            some for each image.
        colours: RGB of the first categories, where they differ from the usual colours.
        explain: whether evidence is kept.
        only_propose: whether categories are proposed and nothing is segmented.
    """
    named = None if categories is None else [{key: value for key, value in c.items() if value} for c in categories]
    asked = {"bank": bank, "categories": named, "colours": colours, "explain": explain, "propose": only_propose}
    identity = [pack, asked, segmentation, bank_created]
    if segmentation["regions"]["way"] == "masks":
        identity.append(masks)
    content = json.dumps(identity, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def digest_of_file(path: Path, rules: InputRules = ANYWHERE) -> str:
    """Return the SHA-256 of a file; empty when it cannot be read, or lies where the rules do not allow."""
    try:
        with open_input(path, rules, "file") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (InputError, OSError):
        return ""


def digest_of_parts(image: str, regions: str) -> str:
    """Return one digest of an image and its regions from those of their files; the image's where it has no regions."""
    return hashlib.sha256(f"{image} {regions}".encode()).hexdigest() if regions else image
