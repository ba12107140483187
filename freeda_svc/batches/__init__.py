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
same call continues with what is left. Files for all images (``coco``, ``index`` ...) follow the last outcome. Progress:
``progress=lambda done, total: ...``. Without ``out`` nothing is written.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.batches.bank_age import BankAge, BankRevision
    from freeda_svc.batches.evidence_files import keep_evidence
    from freeda_svc.batches.images import ImageOutcome, check_image, check_images
    from freeda_svc.batches.inputs import FoundImages, find_images
    from freeda_svc.batches.manifest import (
        ManifestEntry,
        ResultsManifest,
        digest_of_file,
        digest_of_parts,
        digest_of_request,
    )
    from freeda_svc.batches.region_files import check_region_files, digest_of_image, pair_regions, regions_file
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
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
