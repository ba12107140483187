"""The evidence of one segmentation, kept beside its result."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs import EVIDENCE, EVIDENCE_PAGE, shown_colours, write_evidence, write_evidence_page
from freeda_svc.segmentation import evidence_values

if TYPE_CHECKING:
    from freeda_svc.segmentation import Evidence


def keep_evidence(
    folder: Path,
    evidence: "Evidence",
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int32],
    *,
    colours: npt.NDArray[np.uint8],
    artifacts: Path,
    title: str,
    proposals: Mapping[str, Any] | None = None,
    notes: Path | None = None,
) -> None:
    """Write why an image was segmented as it was, as JSON and as a page, beside what ``keep_result`` wrote.

    Args:
        folder: of the kept result.
        evidence: of the segmentation.
        image: (H, W, 3) uint8, RGB, the image that was segmented.
        labels: (H, W) int32, of the segmentation.
        colours: (N, 3) uint8, RGB, one per category, as masks have them.
        artifacts: the folder with the thumbnails of prototypes.
        title: of the page.
        proposals: what proposed the categories, see ``proposal_values``; None where they were named.
        notes: the folder in which the colours of the job's pictures are noted; the one above ``folder`` by default.

    Raises:
        UnavailableError: the files cannot be written.
    """
    values = evidence_values(evidence, proposals)
    shown = shown_colours(notes or folder.parent, values["names"], colours, labels)
    write_evidence(folder / EVIDENCE, values)
    write_evidence_page(
        folder / EVIDENCE_PAGE,
        values,
        image,
        labels,
        colours=shown,
        artifacts=artifacts,
        title=title,
    )
