"""Copies of submitted files among the artifacts, so that nothing accepted can be lost or change later."""

import hashlib
import os
import shutil
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
    # Also where it is stored already: being written again keeps it from being pruned with an earlier job.
    artifacts.publish(f"{INPUTS}/{name}")
    return f"{INPUTS}/{name}"


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
