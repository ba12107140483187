"""A folder that the files of many images are written to, with the manifest of what they were made from."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from freeda_svc.batches.manifest import ManifestEntry, ResultsManifest, digest_of_file
from freeda_svc.errors import InputError

if TYPE_CHECKING:
    from freeda_svc.outputs import SegmentedImage


def check_writable(folder: Path) -> None:
    """Check that a folder can be made or written, before work is done for it; nothing stays behind.

    Raises:
        InputError: it cannot.
    """
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{folder} cannot be written: {nearest} is no folder that can; choose another folder")
    try:  # read-only and full file systems refuse only now
        TemporaryDirectory(prefix=".freeda-", dir=nearest).cleanup()
    except OSError as error:
        reason = f"nothing can be made in {nearest} ({error.strerror})"
        raise InputError(f"{folder} cannot be written: {reason}; choose another folder") from error


@dataclass(frozen=True)
class ResultsFolder:
    """Where the files of many images go, and for which request they are made.

    Attributes:
        path: the folder; is made with the first file.
        formats: which files are written, as ``freeda_svc.outputs.check_formats`` returns them.
        request: digest of the request, see ``digest_of_request``.
        manifest: of the folder.
        collecting: options of the files for all images, as ``write_collections`` takes them.
    """

    path: Path
    formats: Sequence[str]
    request: str
    manifest: ResultsManifest
    collecting: Mapping[str, Any] = field(default_factory=dict)

    def files(self, stem: str) -> dict[str, str]:
        """Return the names of the files that belong to one image, by format."""
        from freeda_svc.outputs import files_of_image  # noqa: PLC0415 - submitting does without it

        return files_of_image(stem, self.formats)

    @property
    def collects(self) -> bool:
        """Whether there are files for all images, which need what is kept of each."""
        from freeda_svc.outputs import files_for_all  # noqa: PLC0415 - submitting does without it

        return bool(files_for_all(self.formats))

    def has(self, stem: str, content: str) -> bool:
        """Whether all files of an image are there, unchanged, and were made from this content by this request.

        Args:
            stem: of the image.
            content: SHA-256 of the image file.
        """
        return self.manifest.holds(stem, content, self.request, self.files(stem))

    def has_of_another_request(self, stem: str, content: str) -> bool:
        """Whether files of an image were made from the same content, but by another request.

        Args:
            stem: of the image.
            content: SHA-256 of the image file.
        """
        written = self.manifest.images.get(stem)
        return written is not None and written.image == content and written.request != self.request

    def write(self, picture: "SegmentedImage", content: str, *, job: str = "", number: int = 0) -> dict[str, Path]:
        """Write the files of one image, each whole, and note them in the manifest.

        Args:
            picture: the image with its result.
            content: SHA-256 of the image file.
            job: id of the job whose result it is; empty when it was segmented without one.
            number: of its item within the job.

        Returns:
            What was written, by format.

        Raises:
            InputError: a name is too long for the file system.
            NotFoundError: what was kept of the result is gone.
            UnavailableError: the folder cannot be written.
        """
        from freeda_svc.outputs import write_image_files  # noqa: PLC0415 - submitting does without it

        files = write_image_files(picture, self.path, self.formats)
        digests = {path.relative_to(self.path).as_posix(): digest_of_file(path) for path in files.values()}
        version = picture.result.summary.get("bank_version")
        self.manifest.note_image(
            ManifestEntry(picture.image.stem, content, self.request, job, number, files=digests, bank_version=version)
        )
        return files

    def write_for_all(self, pictures: "Sequence[SegmentedImage]") -> list[Path]:
        """Write the files that hold the results of all images; return them.

        Raises:
            InputError: the images have different categories, or files of others are in the way.
            NotFoundError: what was kept of a result is gone.
            UnavailableError: the folder cannot be written.
        """
        from freeda_svc.outputs import write_collections  # noqa: PLC0415 - submitting does without it

        return write_collections(pictures if self.collects else [], self.path, self.formats, **self.collecting)
