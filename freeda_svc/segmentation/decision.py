"""The decision which category each pixel belongs to, from the features and similarities of all windows."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.given_regions import CutRegions, share_scores
from freeda_svc.segmentation.merging import Merged, merge_windows
from freeda_svc.segmentation.refining import merge_refined
from freeda_svc.segmentation.scoring import Compare, Ensemble, Support
from freeda_svc.segmentation.unknown import mark_unknown, unknown_channel
from freeda_svc.segmentation.window_scores import WindowScores, join_window, local_window
from freeda_svc.segmentation.windows import Window


class Decision:
    """Collects the scores of the windows of one image, then chooses the best category of each pixel, or none."""

    def __init__(
        self,
        compare: Compare,
        ensemble: Ensemble,
        parameters: SegmentationParameters,
        support: Support | None = None,
    ) -> None:
        """Start without windows.

        Args:
            compare: returns the local cosines of features with the texts of the categories.
            ensemble: joins them with the global ones to the scores of the categories.
            parameters: whether scores are refined and which pixels are unknown.
            support: returns the support of the texts by the appearance of features; None where it has no weight.
        """
        self._compare = compare
        self._ensemble = ensemble
        self._parameters = parameters
        self._support = support
        self.windows: list[tuple[Window, WindowScores]] = []
        self._local: list[WindowScores] = []
        self._given: list[torch.Tensor] = []

    def add_window(
        self,
        window: Window,
        features: torch.Tensor,
        superpixels: torch.Tensor | CutRegions,
        global_similarity: torch.Tensor,
    ) -> None:
        """Score the next window.

        Args:
            window: its place in the scaled image.
            features: (D, h, w) float32, its dense features.
            superpixels: (H, W) integer labels from 0; below 0 for pixels of no region. Of all windows of an image that
                has given regions: its regions.
            global_similarity: (T,) float32 cosines of its embedding and those of the texts.
        """
        if isinstance(superpixels, CutRegions):
            self._given.append(superpixels.given)
            superpixels = superpixels.labels
        scores = join_window(
            features, superpixels, self._compare, global_similarity, self._ensemble, support=self._support
        )
        self.windows.append((window, scores))
        if self._parameters.unknown.way in {"local_before", "local_after"}:
            self._local.append(local_window(scores, features, self._compare, global_similarity, self._ensemble))

    def decide(self, image: npt.NDArray[np.uint8], size: tuple[int, int]) -> Merged:
        """Choose the category of each pixel, after all windows were added.

        Args:
            image: (h, w, 3) uint8, RGB, the scaled image, which the windows cover together.
            size: height and width of the result.

        Returns:
            Labels and scores at ``size``, where pixels that belong to no category have the label ``UNKNOWN``.
        """
        unknown = self._parameters.unknown
        if self._given:
            self.windows = share_scores(self.windows, self._given)
            shared = zip(self._local, self.windows, strict=False)
            self._local = [replace(local, by_region=scores.local) for local, (_, scores) in shared]
        chosen: tuple[torch.Tensor | None, ...] = (None,) * len(self.windows)
        if self._parameters.refinement.way == "none":
            merged = merge_windows(self.windows, (image.shape[0], image.shape[1]), size)
        else:
            merged, chosen = merge_refined(self.windows, image, size, self._parameters.refinement)
        channels = [
            (window, unknown_channel(scores, local, unknown, choice))
            for (window, scores), local, choice in zip(self.windows, self._local, chosen, strict=False)
        ]
        return mark_unknown(merged, channels, unknown)
