"""What is kept of a segmentation, from which the files of every format can be made at any time."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import NotFoundError
from freeda_svc.images import PAPER, load_visible
from freeda_svc.input_files import KEPT
from freeda_svc.outputs.image_names import InputImage
from freeda_svc.outputs.job_colours import noted_colours, shown_colours
from freeda_svc.outputs.masks import read_labels, write_mask
from freeda_svc.outputs.scores import keep_scores, read_kept_scores, write_score_arrays
from freeda_svc.outputs.summaries import write_summary

if TYPE_CHECKING:
    from freeda_svc.segmentation import Segmentation

MASK, SUMMARY, SCORES, REGIONS = "mask.png", "summary.json", "scores.png", "regions.npz"
EVIDENCE, EVIDENCE_PAGE = "evidence.json", "evidence.html"
"""Only where evidence was asked for."""
REQUIRED = (MASK, SUMMARY, SCORES, REGIONS)
"""All other files of a result."""


def keep_result(
    folder: Path,
    segmentation: "Segmentation",
    colours: npt.NDArray[np.uint8],
    proposals: Mapping[str, Any] | None = None,
) -> None:
    """Write what is kept of a segmentation to a folder, each file whole.

    Args:
        folder: is made when it is not there.
        segmentation: the result.
        colours: (N, 3) uint8, RGB, one per category.
        proposals: as ``summarise`` takes them.

    Raises:
        InputError: labels and colours do not fit together.
        UnavailableError: it cannot be written.
    """
    scores, regions = segmentation.pixel_scores, segmentation.region_scores
    assert scores is not None
    assert regions is not None
    folder.mkdir(parents=True, exist_ok=True)
    writes = (
        partial(write_mask, folder / MASK, segmentation.labels, colours),
        partial(keep_scores, folder / SCORES, scores),
        partial(write_score_arrays, folder / REGIONS, {"regions": regions.map, "region_scores": regions.scores}),
        partial(write_summary, folder / SUMMARY, segmentation, proposals),
    )
    with ThreadPoolExecutor(len(writes)) as pool:  # together they wait for the disk once, not four times
        for written in [pool.submit(write) for write in writes]:
            written.result()


class KeptResult:
    """What is kept of one segmented image; files are read at each access, and not cached.

    Attributes:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of a kept file.

        Raises:
            NotFoundError: it is gone.
        """
        path = self.folder / name
        if not path.is_file():
            raise NotFoundError(f"the result {path} is gone from the artifacts; submit the image again")
        return path

    def evidence(self, name: str) -> Path:
        """Return the path of a file of evidence.

        Raises:
            NotFoundError: it was not asked for, or is gone.
        """
        path = self.folder / name
        if not path.is_file():
            raise NotFoundError(f"no evidence is kept at {path}; segment the image again with --explain")
        return path

    @contextmanager
    def colour_notes(self) -> Iterator[Path]:
        """Give the folder in which the colours are noted that the job's pictures are shown in."""
        yield self.folder.parent

    @property
    def whole(self) -> bool:
        """Whether all files are there."""
        return all((self.folder / name).is_file() for name in REQUIRED)

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(H, W) labels, -1 where unknown."""
        return read_labels(self.path(MASK))

    @property
    def summary(self) -> Mapping[str, Any]:
        """What ``summarise`` returned."""
        summary: dict[str, Any] = json.loads(self.path(SUMMARY).read_bytes())
        return summary

    @property
    def names(self) -> Sequence[str]:
        """Of the categories, exactly as typed."""
        return [category["name"] for category in self.summary["categories"]]

    @property
    def category_scores(self) -> Sequence[float | None]:
        """Mean score of each category over its pixels; None where it is absent."""
        return [category["score"] for category in self.summary["categories"]]

    def scores(self) -> npt.NDArray[np.float32]:
        """Return the (H, W) score of each pixel's category, to 2e-5."""
        return read_kept_scores(self.path(SCORES))

    def regions(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return ``regions`` (h, w) int32, -1 where there is none, and ``region_scores`` (R, N) float32."""
        with np.load(self.path(REGIONS), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


@dataclass(frozen=True, eq=False)
class SegmentedImage:
    """An image with what is kept of its segmentation, from which the files of every format are made.

    Attributes:
        image: the image; its file is there, or will be when it is fetched.
        result: what is kept of its segmentation.
        colours: (N, 3) uint8, RGB, one per category, as masks have them.
        fetch: returns the path of the image when its file is there; None where it need not be fetched.
    """

    image: InputImage
    result: KeptResult
    colours: npt.NDArray[np.uint8]
    fetch: Callable[[], Path] | None = None

    def image_file(self) -> Path:
        """Return the image's file, which is fetched where it is kept elsewhere.

        Raises:
            NotFoundError: it is gone there.
            UnavailableError: it cannot be fetched.
        """
        return self.image.path if self.fetch is None else self.fetch()

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 pixels that were segmented; what is transparent is white where nothing fills it.

        Raises:
            InputError: the image cannot be read any more.
            NotFoundError: what was kept of the result is gone.
        """
        fill = self.result.summary.get("parameters", {}).get("fill_transparent", "")
        return load_visible(self.image_file(), fill or PAPER, KEPT).pixels

    def shown_colours(self, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the (N, 3) uint8 colours in which to show its (H, W) labels, as in the job's other pictures."""
        with self.result.colour_notes() as folder:
            return shown_colours(folder, self.result.names, self.colours, labels)

    def noted_colours(self) -> npt.NDArray[np.uint8]:
        """Return the (N, 3) uint8 colours that the job's pictures have been shown in."""
        with self.result.colour_notes() as folder:
            return noted_colours(folder, self.result.names, self.colours)
