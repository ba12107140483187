"""A file system of its own that a test can fill up."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_disk(place: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a file system in memory on a folder, which is made; skips the test where that cannot be done."""
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a disk that can be filled needs root and the command mount")
    command = [mount, "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a disk that can be filled cannot be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Leave so many bytes free, none with 0; gives the file that takes the others."""
    ballast = disk / "ballast"
    if left:
        with ballast.open("ab") as file:
            os.posix_fallocate(file.fileno(), ballast.stat().st_size, shutil.disk_usage(disk).free - left)
        return ballast
    with ballast.open("ab", buffering=0) as file:  # whatever is still free, to the last page
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast
