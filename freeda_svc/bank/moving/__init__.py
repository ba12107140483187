"""Moving banks: into archives and out of them, and from the files that the paper's authors published."""

from freeda_svc.bank.moving.archive import ArchiveManifest
from freeda_svc.bank.moving.archive import read_manifest as read_archive_manifest
from freeda_svc.bank.moving.exporting import ExportReport, Start, check_target, export_bank
from freeda_svc.bank.moving.importing import ImportReport, check_fit, import_bank, verify_archive
from freeda_svc.bank.moving.published_bank import FaissReport, import_faiss, look_at_published

__all__ = [
    "export_bank",
    "import_bank",
    "verify_archive",
    "read_archive_manifest",
    "import_faiss",
    "look_at_published",
    "check_target",
    "check_fit",
    "ExportReport",
    "Start",
    "ImportReport",
    "FaissReport",
    "ArchiveManifest",
]
