"""The library's results, made of what a server keeps; no model is needed for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.bank import Revision
from freeda_svc.client.kept import RemoteResult
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.library import Result
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation import Category, KnownWord, Segmentation
from freeda_svc.segmentation.intersections import MergedRegions
from freeda_svc.segmentation.result import CategoryScore


def library_result(kept: RemoteResult, pixels: npt.NDArray[np.uint8], name: str) -> Result:
    """Return a result as the library has it.

    Args:
        kept: what the server keeps of it.
        pixels: (H, W, 3) uint8, RGB, of the image that was segmented.
        name: the image's file name.

    Raises:
        InputError: the server sent something else.
        NotFoundError: it is gone from the server.
        UnavailableError: the server does not answer.
    """
    labels, scores, regions = kept.labels, kept.scores(), kept.regions()
    try:
        found = _segmentation(kept.summary, labels, scores, regions)
    except FreedaError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the result of {name} that the server sent cannot be read ({error!r})") from error
    if labels.shape != pixels.shape[:2] or scores.shape != labels.shape:
        raise InputError(
            f"the result of {name} is of an image of another size, {labels.shape[1]} x {labels.shape[0]} pixels"
        )
    return DownloadedResult(found, pixels, name)


class DownloadedResult(Result):
    """A result of a server."""

    def scores(self, category: str | int) -> npt.NDArray[np.float32]:
        """How well a category fits each pixel, as ``Result.scores`` returns it.

        A server keeps the scores of superpixels. Of the few pixels that lie in none it keeps the score of their own
        category only; they are NaN for the others.
        """
        found = super().scores(category)
        scores = self.segmentation.pixel_scores
        assert scores is not None
        own = np.isnan(found) & self.mask(category)
        found[own] = scores[own]
        return found


def _segmentation(
    summary: Mapping[str, Any],
    labels: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    regions: Mapping[str, npt.NDArray[Any]],
) -> Segmentation:
    of_regions = regions["region_scores"].astype(np.float32, copy=False)
    revision = summary.get("bank_version")
    found = summary["categories"]
    return Segmentation(
        labels=labels,
        categories=tuple(_category(entry) for entry in found),
        scores=tuple(
            CategoryScore(entry["name"], entry["score"], entry["highest_score"], entry["area_share"], entry["absent"])
            for entry in found
        ),
        regions=summary["regions"],
        windows=summary["windows"],
        parameters=SegmentationParameters.read(summary["parameters"]),
        pack=summary["pack"],
        timings=summary["timings_seconds"],
        encoders=summary.get("encoders", {}),
        bank=summary["bank"],
        bank_revision=None if revision is None else Revision(**revision),
        words=tuple(tuple(_word(word) for word in entry["words"]) for entry in found),
        unknown_share=summary["unknown_share"],
        transparent_share=summary["transparent_share"],
        region_scores=MergedRegions(
            map=regions["regions"].astype(np.int32, copy=False),
            scores=of_regions,
            members=np.empty((len(of_regions), 0), dtype=np.int32),
            windows=(),
        ),
        pixel_scores=scores,
    )


def _category(entry: Mapping[str, Any]) -> Category:
    name, text, retrieved = entry["name"], entry["text"], entry["prototype_text"]
    return Category(
        name,
        text=None if text == name else text,
        prototype_text=None if retrieved == text else retrieved,
        synonyms=entry["synonyms"],
    )


def _word(word: Mapping[str, Any]) -> KnownWord:
    nearest = {other["noun"]: other["retrieved"] for other in word["nearest"]}
    return KnownWord(word["text"], word["prototypes"], word["retrieved"], nearest)
