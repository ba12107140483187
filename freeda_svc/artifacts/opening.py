"""The artifacts of an installation."""

import os
from typing import TYPE_CHECKING

from freeda_svc.artifacts.folder import FolderArtifacts
from freeda_svc.artifacts.store import Artifacts
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.artifacts.s3 import S3Artifacts

_of_process: "dict[tuple[int, str, str, str, int], S3Artifacts]" = {}


def open_artifacts(settings: Settings) -> Artifacts:
    """Return the artifacts that the settings name; nothing is made, and no server asked.

    Raises:
        InputError: they are in a bucket, and the libraries for that are not installed.
    """
    if not settings.artifacts_on_s3:
        return FolderArtifacts(settings.artifacts_folder)
    from freeda_svc.artifacts.s3 import S3Artifacts  # noqa: PLC0415 - a folder does without it

    # The connections of a process cannot be used by one that was forked from it.
    given = (settings.artifacts, settings.s3_endpoint, str(settings.artifacts_folder), settings.artifacts_cache_bytes)
    key = (os.getpid(), *given)
    if key not in _of_process:
        _of_process[key] = S3Artifacts(
            settings.artifacts,
            settings.artifacts_folder,
            endpoint=settings.s3_endpoint,
            cache_bytes=settings.artifacts_cache_bytes,
        )
    return _of_process[key]
