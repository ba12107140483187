"""Cross-attention attribution, eq. 1: where in an image each noun of its caption was drawn.

As in DAAM, attention is summed over steps, layers and heads at each layer's own resolution, for the columns of the
nouns' tokens only. The upsampling is linear, so a resolution's sum is upsampled once, at the end.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from freeda_svc.diffusion.columns import TokenColumns
from freeda_svc.errors import InputError

BYTES_AT_ONCE = 16 * 2**20  # of scores in float32: a few heads of the largest layers
_FLOAT32_BYTES = 4


def _level_sizes(height: int, width: int) -> dict[int, tuple[int, int]]:
    """Map the number of positions of each level of the U-Net, halved and rounded up from the latents', to its size."""
    sizes = {height * width: (height, width)}
    while height * width > 1:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        sizes[height * width] = (height, width)
    return sizes


class AttentionRecorder:
    """Sums the cross-attention of one batch of images while a U-Net generates them."""

    def __init__(self, columns: Sequence[TokenColumns], tokens: int, latent_size: tuple[int, int]) -> None:
        """Prepare for a batch.

        Args:
            columns: one for each image of the batch.
            tokens: how many tokens the text encoder returns, L.
            latent_size: height and width of the latents.
        """
        self._images = len(columns)
        self._sizes = _level_sizes(*latent_size)
        most = max((len(image.nouns) for image in columns), default=0)
        # (B, 1, L, N + 1): a noun's tokens are averaged; the last column adds up all tokens, the softmax's denominator
        self._weights = torch.zeros(len(columns), 1, tokens, most + 1)
        self._weights[..., -1] = 1.0
        for image, found in enumerate(columns):
            for number, positions in enumerate(found.columns):
                self._weights[image, 0, list(positions), number] = 1.0 / len(positions)
        self._counts = [len(image.nouns) for image in columns]
        self._sums: dict[tuple[int, int], torch.Tensor] = {}
        self._maps = 0

    @torch.no_grad()
    def add(self, query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        """Add one layer's attention at one step.

        The softmax is never written out: exponentiated scores of a few heads at a time are multiplied with the nouns'
        columns and with ones, and the first product is divided by the second.

        Args:
            query: (B, heads, positions, d), where B is the number of images or, under guidance, twice that with the
                unconditional half first; that half is left out.
            key: (B, heads, tokens, d).
            scale: of the scores before the softmax.

        Raises:
            InputError: the layer's positions are no level of the latents.
        """
        query, key = query[-self._images :], key[-self._images :]
        images, heads, positions, _ = query.shape
        if positions not in self._sizes:
            raise InputError(f"the generator's U-Net has a layer of {positions} positions, no halving of its latents")
        if not any(self._counts):
            return
        self._weights = self._weights.to(query.device)
        key = (key.float() * scale).transpose(-1, -2)
        size = self._sizes[positions]
        if size not in self._sums:
            self._sums[size] = torch.zeros(images, positions, max(self._counts), device=query.device)
        group = max(1, BYTES_AT_ONCE // (images * positions * key.shape[-1] * _FLOAT32_BYTES))
        for start in range(0, heads, group):
            scores = query[:, start : start + group].float() @ key[:, start : start + group]
            scores -= scores.amax(dim=-1, keepdim=True)
            products = scores.exp_() @ self._weights
            self._sums[size] += (products[..., :-1] / products[..., -1:]).sum(dim=1)
        self._maps += heads

    def attributions(self, height: int, width: int) -> list[torch.Tensor]:
        """Return each image's attributions, (N, height, width) float32 in main memory, N its number of nouns."""
        total = torch.zeros(self._images, max(self._counts, default=0), height, width)
        for size, summed in self._sums.items():
            maps = summed.transpose(1, 2).unflatten(2, size)  # type: ignore[no-untyped-call]
            total += functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False).cpu()
        total /= max(1, self._maps)
        return [image[:count].clone() for image, count in zip(total, self._counts, strict=True)]
