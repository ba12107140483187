"""Automatic mask generation: a promptable model (SAM 2, SAM 3) is asked for the masks at a grid of points.

The points are a grid over the square that the model sees. Each has several masks (part, thing, group), of which those
stay that the model itself thinks good (predicted IoU), that hardly change with the cutoff (stability), and that are no
duplicates (non-maximum suppression of boxes). What overlaps is resolved into one map: smaller masks lie over larger
ones. Published as the automatic mask generator of Segment Anything (Kirillov et al., ICCV 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import Sam2Model, Sam3TrackerModel

from freeda_svc.encoders.images import channel_constants
from freeda_svc.errors import InputError
from freeda_svc.parameters import RegionParameters

PromptableModel: TypeAlias = Sam2Model | Sam3TrackerModel
"""What can find masks: it embeds an image once, and then gives the masks of points in it."""

NO_MASK = -1
"""In a map of masks, a pixel that no mask covers."""

_POINTS_AT_ONCE = 64
_VALUES_AT_ONCE = 16_000_000
"""Of masks at the size of the map, 64 MB of float32."""
_CUTOFF, _OFFSET = 0.0, 1.0  # of the masks' logits; for stability the cutoff is moved by the offset up and down


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """Masks of an image, as bits.

    Attributes:
        size: height and width, h and w.
        bits: (M, ceil(h w / 8)) uint8, each mask packed row by row.
        areas: (M,) int64, pixels.
        boxes: (M, 4) float64, left, top, right and bottom, the last two exclusive.
        scores: (M,) float32, the IoU that the model predicts.
    """

    size: tuple[int, int]
    bits: npt.NDArray[np.uint8]
    areas: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]

    def mask(self, number: int) -> npt.NDArray[np.bool_]:
        """Return one mask, (h, w) bool."""
        height, width = self.size
        return np.unpackbits(self.bits[number], count=height * width).reshape(self.size).astype(np.bool_)

    def take(self, chosen: npt.NDArray[np.int64]) -> "FoundMasks":
        """Return some of the masks."""
        return FoundMasks(self.size, self.bits[chosen], self.areas[chosen], self.boxes[chosen], self.scores[chosen])


class MaskGenerator:
    """A SAM 2 or SAM 3 model that finds the masks of an image.

    Attributes:
        size: side, in pixels, to which every image is squashed.
    """

    def __init__(self, model: PromptableModel, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take a model.

        Args:
            model: where and in which precision it computes.
            mean: of the colour channels, 0 to 1, as the model was trained.
            std: their standard deviation.
        """
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._model = model.eval()
        self._mean, self._std = (channel_constants(values).to(self._device) for values in (mean, std))
        self.size = int(model.prompt_encoder.input_image_size)

    def regions(
        self, image: npt.NDArray[np.uint8], size: tuple[int, int], parameters: RegionParameters
    ) -> npt.NDArray[np.int32]:
        """Find the masks of an image and resolve them into one map.

        Args:
            image: (H, W, 3) uint8, RGB.
            size: height and width of the map.
            parameters: the grid of points and the thresholds.

        Returns:
            (h, w) int32: masks from 0 without gaps, and ``NO_MASK``.

        Raises:
            InputError: values come out that are not finite.
        """
        found = self.masks(image, size, parameters)
        found = found.take(distinct_boxes(found.boxes, found.scores, parameters.duplicate_threshold))
        return resolve_overlaps(found)

    @torch.no_grad()
    def masks(self, image: npt.NDArray[np.uint8], size: tuple[int, int], parameters: RegionParameters) -> FoundMasks:
        """Find the masks of an image, which overlap and have duplicates.

        Args:
            image: as ``regions`` takes it, and the following.
            size: as above.
            parameters: as above.

        Raises:
            InputError: values come out that are not finite.
        """
        embeddings = self._model.get_image_embeddings(self._pixels(image))
        parts = [
            part
            for points in torch.split(self._grid(parameters.points_per_side), _POINTS_AT_ONCE)
            for part in self._of_points(embeddings, points, size, parameters)
        ]
        least = max(1.0, parameters.least_area * size[0] * size[1])
        empty = FoundMasks(
            size,
            np.zeros((0, -(-size[0] * size[1] // 8)), dtype=np.uint8),
            np.zeros(0, dtype=np.int64),
            np.zeros((0, 4)),
            np.zeros(0, dtype=np.float32),
        )
        found = FoundMasks(
            size,
            *(
                np.concatenate([getattr(part, name) for part in (empty, *parts)])
                for name in ("bits", "areas", "boxes", "scores")
            ),
        )
        return found.take(np.flatnonzero(found.areas >= least))

    @torch.no_grad()
    def try_out(self) -> torch.Tensor:
        """Ask for the masks at one point of a black image: their (1, 1, M) float32 predicted IoUs."""
        embeddings = self._model.get_image_embeddings(self._pixels(np.zeros((1, 1, 3), dtype=np.uint8)))
        answer = self._model(image_embeddings=embeddings, input_points=self._grid(1)[None, :, None])
        scores: torch.Tensor = answer.iou_scores.to(device="cpu", dtype=torch.float32)
        return scores

    def _pixels(self, image: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Squash an image to the model's square, bilinearly with antialiasing, as the model was trained."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device).permute(2, 0, 1)[None].float()
        sides = (self.size, self.size)
        pixels = functional.interpolate(pixels, size=sides, mode="bilinear", align_corners=False, antialias=True)
        return ((pixels / 255 - self._mean) / self._std).to(self._dtype)

    def _grid(self, side: int) -> torch.Tensor:
        """Return the (side ^ 2, 2) points, x and y, in the middle of equal cells of the square."""
        middles = (torch.arange(side, device=self._device) + 0.5) * (self.size / side)
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        return torch.stack((x, y), dim=-1).reshape(-1, 2)

    def _of_points(
        self, embeddings: list[torch.Tensor], points: torch.Tensor, size: tuple[int, int], parameters: RegionParameters
    ) -> list[FoundMasks]:
        """Return the good and stable masks at some points."""
        answer = self._model(image_embeddings=embeddings, input_points=points[None, :, None], multimask_output=True)
        scores = answer.iou_scores.float().flatten()
        if not bool(scores.isfinite().all()):
            raise InputError(
                "the pack's mask generator gives values that are not finite for the image; let the models compute in "
                "float32 (the setting precision), and see whether the pack is complete"
            )
        good = scores > parameters.iou_threshold if parameters.iou_threshold else torch.ones_like(scores) > 0
        chosen = good.nonzero()[:, 0]
        logits = answer.pred_masks.flatten(end_dim=-3)[chosen].float()
        at_once = max(1, _VALUES_AT_ONCE // (size[0] * size[1]))
        return [
            _stable(some, of_some, size, parameters)
            for some, of_some in zip(logits.split(at_once), scores[chosen].split(at_once), strict=True)
            if len(some)
        ]


def _stable(
    logits: torch.Tensor, scores: torch.Tensor, size: tuple[int, int], parameters: RegionParameters
) -> FoundMasks:
    """Return the masks of (M, h', w') logits that hardly change with the cutoff."""
    large = functional.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    inner = (large > _CUTOFF + _OFFSET).sum(dim=(1, 2))
    outer = (large > _CUTOFF - _OFFSET).sum(dim=(1, 2))
    kept = (large > _CUTOFF).flatten(start_dim=1).any(dim=1)
    if parameters.stability_threshold:
        kept &= inner / outer.clamp(min=1) > parameters.stability_threshold
    masks = (large[kept] > _CUTOFF).cpu().numpy()
    (left, right), (top, bottom) = _extent(masks, axis=1), _extent(masks, axis=2)
    return FoundMasks(
        size,
        np.packbits(masks.reshape(len(masks), size[0] * size[1]), axis=1),
        masks.sum(axis=(1, 2), dtype=np.int64),
        np.stack((left, top, right, bottom), axis=1).astype(np.float64),
        scores[kept].cpu().numpy(),
    )


def _extent(masks: npt.NDArray[np.bool_], axis: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and the last place of (M, h, w) masks that has a pixel along an axis, the last exclusive."""
    occupied: npt.NDArray[np.bool_] = np.any(masks, axis=axis)
    return occupied.argmax(axis=1), occupied.shape[1] - occupied[:, ::-1].argmax(axis=1)


def distinct_boxes(
    boxes: npt.NDArray[np.float64], scores: npt.NDArray[np.float32], threshold: float
) -> npt.NDArray[np.int64]:
    """Return the indices of boxes that are left when of two alike ones the better stays, the best first.

    Args:
        boxes: (M, 4), left, top, right and bottom, the last two exclusive.
        scores: (M,), higher is better.
        threshold: IoU above which two boxes are alike.
    """
    left, top, right, bottom = boxes.T
    areas = (right - left) * (bottom - top)
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        wide = np.minimum(right[best], right[waiting]) - np.maximum(left[best], left[waiting])
        high = np.minimum(bottom[best], bottom[waiting]) - np.maximum(top[best], top[waiting])
        shared = wide.clip(min=0) * high.clip(min=0)
        waiting = waiting[shared <= threshold * (areas[best] + areas[waiting] - shared)]
    return np.array(kept, dtype=np.int64)


def resolve_overlaps(found: FoundMasks) -> npt.NDArray[np.int32]:
    """Lay masks over each other, smaller ones over larger ones; of equally large ones the better lies above.

    Returns:
        (h, w) int32: masks from 0 without gaps, the largest first, and ``NO_MASK``; those that are covered are none.
    """
    regions = np.full(found.size, NO_MASK, dtype=np.int32)
    for number, index in enumerate(np.lexsort((found.scores, -found.areas))):
        regions[found.mask(int(index))] = number
    present, numbers = np.unique(regions, return_inverse=True)
    first = int(present[0] == NO_MASK)
    return (numbers.reshape(found.size) - first).astype(np.int32)
