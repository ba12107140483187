"""Copies of submitted files among the artifacts, so that nothing accepted can be lost or change later."""

import hashlib
import os
import tempfile
from pathlib import Path

from freeda_svc.artifacts import open_artifacts
from freeda_svc.errors import UnavailableError
from freeda_svc.input_files import InputRules, open_input
from freeda_svc.settings import Settings

INPUTS = "inputs"
CHUNK = 1 << 20
_LONGEST_ENDING = 16


def keep_image(settings: Settings, image: Path, rules: InputRules) -> str:
    """Copy an image into the artifacts under the hash of its content; equal images are kept once.

    Args:
        settings: the installation.
        image: the file.
        rules: where it has to lie.

    Returns:
        The copy's path below the artifact root.

    Raises:
        InputError: the image cannot be read any more, or lies elsewhere.
        UnavailableError: the copy cannot be written.
    """
    artifacts = open_artifacts(settings)
    folder = artifacts.folder / INPUTS
    with open_input(image, rules) as source:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, aside = tempfile.mkstemp(dir=folder, prefix=".incoming-")
            try:
                digest = hashlib.sha256()
                with os.fdopen(descriptor, "wb") as copy:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        copy.write(chunk)
                    copy.flush()
                    name = f"{digest.hexdigest()}{image.suffix.lower()[:_LONGEST_ENDING]}"
                    is_kept = not settings.artifacts_on_s3 and _keep_longer(folder / name, copy.tell())
                    if not is_kept:
                        os.fsync(copy.fileno())
                if is_kept:  # nobody has to wait for the disk
                    Path(aside).unlink()
                else:
                    Path(aside).replace(folder / name)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UnavailableError(f"{image} cannot be copied to {folder}: {error.strerror}") from error
    # Also where it is stored already: being written again keeps it from being pruned with an earlier job.
    artifacts.publish(f"{INPUTS}/{name}")
    return f"{INPUTS}/{name}"


def _keep_longer(path: Path, size: int) -> bool:
    """Note that a copy is used again, so that it is not pruned with an earlier job; False where there is none whole."""
    try:
        os.utime(path)
        return path.stat().st_size == size
    except OSError:  # it is not there, was just removed, or is another user's
        return False


def keep_bytes(settings: Settings, content: bytes, suffix: str) -> str:
    """Write a file into the artifacts under the hash of its content; equal files are kept once.

    Returns:
        Its path below the artifact root.

    Raises:
        UnavailableError: it cannot be written.
    """
    name = f"{INPUTS}/{hashlib.sha256(content).hexdigest()}{suffix}"
    open_artifacts(settings).write(name, content)
    return name
