"""The evidence of one segmentation, kept beside its result."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs import EVIDENCE, EVIDENCE_PAGE, shown_colours, write_evidence, write_evidence_page
from freeda_svc.segmentation import evidence_values

if TYPE_CHECKING:
    from freeda_svc.images import LoadedImage
    from freeda_svc.segmentation import Segmentation, Segmenter


def keep_evidence(
    folder: Path,
    segmenter: "Segmenter",
    image: "LoadedImage",
    segmentation: "Segmentation",
    *,
    colours: npt.NDArray[np.uint8],
    artifacts: Path,
    title: str,
    proposals: Mapping[str, Any] | None = None,
) -> None:
    """Write why an image was segmented as it was, as JSON and as a page, beside what ``keep_result`` wrote.

    Args:
        folder: of the kept result.
        segmenter: made the segmentation.
        image: was segmented.
        segmentation: its result.
        colours: (N, 3) uint8, RGB, one a category, as masks have them.
        artifacts: the folder with the thumbnails of prototypes.
        title: of the page.
        proposals: what proposed the categories, see ``proposal_values``; None where they were named.

    Raises:
        NotFoundError: prototypes are removed from the bank faster than they can be read.
        UnavailableError: the bank does not answer, or the files cannot be written.
    """
    values = evidence_values(segmenter.explain(image, segmentation), proposals)
    shown = shown_colours(folder.parent, values["names"], colours, segmentation.labels)
    write_evidence(folder / EVIDENCE, values)
    write_evidence_page(
        folder / EVIDENCE_PAGE,
        values,
        image.pixels,
        segmentation.labels,
        colours=shown,
        artifacts=artifacts,
        title=title,
    )
