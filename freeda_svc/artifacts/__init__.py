"""Artifacts: copies of submitted files, results and thumbnails, in a folder or in a bucket of S3-compatible storage.

Their names are paths with slashes, such as ``inputs/1c2f.png``, which SQL and banks keep::

    artifacts = open_artifacts(settings)
    with artifacts.filling() as root:      # what is written below root becomes visible at the end
        keep_result(root / name, segmentation, colours)
    path = artifacts.local(name)           # a file of this machine
"""

from freeda_svc.artifacts.folder import FolderArtifacts, probe_folder
from freeda_svc.artifacts.opening import open_artifacts
from freeda_svc.artifacts.store import Artifacts, StorageUnavailableError, StoredFile

__all__ = [
    "open_artifacts",
    "Artifacts",
    "StorageUnavailableError",
    "StoredFile",
    "FolderArtifacts",
    "probe_folder",
]
