"""Segmenting many images into a folder: finding them, skipping what is done, writing files, reporting.

A folder of results has a manifest of what its files were made from. A later run with the same request skips images
whose files are there, unless the image, the request or the bank has changed, or ``keep_older`` is set. The command line
(`freeda segment --resume`) and jobs use the same folders, manifests and digests.

In this process, without a service::

    found = find_images([Path("photos")], recursive=True)  # found.problems: a line for each image that is not usable
    for outcome in segment_images(segmenter, found.images, ["boat|ship", "water"], out=Path("masks"), formats=["mask"]):
        if outcome.error:
            print(outcome.image.name, outcome.error)
        elif not outcome.was_done:  # else its files are there, and outcome.segmentation is None
            print(outcome.image.name, outcome.segmentation.labels.shape, outcome.files["mask"])

Files and manifest are written before an outcome is yielded: leave the loop, press Ctrl-C or kill the process, and the
same call goes on with what is left. Files for all images (``coco``, ``index`` ...) follow the last outcome. Progress:
``progress=lambda done, total: ...``. Without ``out`` nothing is written.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.batches.bank_age import BankAge, BankVersion
    from freeda_svc.batches.evidence_files import keep_evidence
    from freeda_svc.batches.images import ImageOutcome, check_image, check_images
    from freeda_svc.batches.inputs import FoundImages, find_images
    from freeda_svc.batches.manifest import ManifestEntry, ResultsManifest, digest_of_file, digest_of_request
    from freeda_svc.batches.reports import (
        ShownCategory,
        UnknownWord,
        drawable_words,
        labels_every_pixel,
        shown_categories,
        unknown_words,
    )
    from freeda_svc.batches.results_folder import ResultsFolder, check_writable
    from freeda_svc.batches.segmenting import segment_images
    from freeda_svc.outputs import InputImage, Stems, distinct_stems, name_images

__all__ = [
    "segment_images",
    "ImageOutcome",
    "find_images",
    "FoundImages",
    "InputImage",
    "name_images",
    "distinct_stems",
    "Stems",
    "check_image",
    "check_images",
    "ResultsFolder",
    "check_writable",
    "ResultsManifest",
    "ManifestEntry",
    "digest_of_file",
    "digest_of_request",
    "BankAge",
    "BankVersion",
    "shown_categories",
    "ShownCategory",
    "unknown_words",
    "UnknownWord",
    "drawable_words",
    "labels_every_pixel",
    "keep_evidence",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.batches.bank_age": ("BankAge", "BankVersion"),
        "freeda_svc.batches.evidence_files": ("keep_evidence",),
        "freeda_svc.batches.images": ("ImageOutcome", "check_image", "check_images"),
        "freeda_svc.batches.inputs": ("FoundImages", "find_images"),
        "freeda_svc.batches.manifest": ("ResultsManifest", "ManifestEntry", "digest_of_file", "digest_of_request"),
        "freeda_svc.batches.reports": (
            "ShownCategory",
            "UnknownWord",
            "drawable_words",
            "labels_every_pixel",
            "shown_categories",
            "unknown_words",
        ),
        "freeda_svc.batches.results_folder": ("ResultsFolder", "check_writable"),
        "freeda_svc.batches.segmenting": ("segment_images",),
        "freeda_svc.outputs": ("InputImage", "Stems", "distinct_stems", "name_images"),
    },
)
