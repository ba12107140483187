"""Eq. 1 for transformers: where the queries of the image attend to the nouns' tokens.

In joint attention image and text are one sequence, and the softmax is over all of it. Of the scores only the nouns'
columns are computed where the fused kernel returns the denominators; elsewhere all scores of some heads and rows at a
time, so the maps of all tokens never exist.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from freeda_svc.diffusion.columns import TokenColumns
from freeda_svc.diffusion.observing import Attended
from freeda_svc.errors import InputError

_BYTES_AT_ONCE = 16 * 2**20  # of scores in float32
_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Placement:
    """Where the tokens of one image of a batch are in the sequence of a layer.

    Attributes:
        image: number of the first query of the image's tokens.
        text: number of the first key of the text's tokens.
    """

    image: int
    text: int


Arrangement = Callable[[int, int, int], Placement]
"""Gives the placement from the numbers of keys, of image tokens, and of the caption's text tokens."""


class TokenAttentionRecorder:
    """Sums the attention from image to nouns of one batch of images while a transformer generates them."""

    def __init__(
        self,
        columns: Sequence[TokenColumns],
        lengths: Sequence[int],
        grid: tuple[int, int],
        arrangement: Arrangement,
        *,
        first_half: bool = False,
    ) -> None:
        """Prepare for a batch.

        Args:
            columns: one for each image of the batch, B of them.
            lengths: how many text tokens each image has, B of them.
            grid: rows and columns of the image's tokens, which are in row-major order.
            arrangement: where they are in a layer's sequence.
            first_half: which half of a batch of 2 B is conditional: the first one, or else the second.
        """
        self._columns = columns
        self._lengths = lengths
        self._grid = grid
        self._arrangement = arrangement
        self._rows = slice(0, len(columns)) if first_half else slice(-len(columns), None)
        self._sums: list[torch.Tensor | None] = [None] * len(columns)
        self._maps = 0

    @torch.no_grad()
    def attended(self, layer: Attended) -> None:
        """Add one layer's attention at one step, of B rows or of 2 B.

        Raises:
            InputError: the layer has not as many positions as its family lets expect.
        """
        images, tokens = len(self._columns), self._grid[0] * self._grid[1]
        query, key = layer.query[self._rows], layer.key[self._rows]
        sums = None if layer.sums is None else layer.sums[self._rows]
        for image in range(images):
            place = self._arrangement(key.shape[2], tokens, self._lengths[image])
            if min(place.image, place.text) < 0 or place.image + tokens > query.shape[2]:
                raise InputError(
                    f"the generator's transformer has a layer of {query.shape[2]} positions, too few for the image's "
                    f"{tokens}, so nouns cannot be located"
                )
            if not self._columns[image].nouns:
                continue
            shares = _shares(
                [[place.text + column for column in columns] for columns in self._columns[image].columns],
                query=query[image, :, place.image : place.image + tokens],
                key=key[image].repeat_interleave(query.shape[1] // key.shape[1], dim=0),
                bias=_bias(layer.mask, self._rows, image, place.image, tokens),
                scale=layer.scale,
                sums=None if sums is None else sums[image, :, place.image : place.image + tokens],
            )
            kept = self._sums[image]
            self._sums[image] = shares if kept is None else kept + shares
        self._maps += query.shape[1]

    def attributions(self, height: int, width: int) -> list[torch.Tensor]:
        """Return each image's attributions, (N, height, width) float32 in main memory, N its number of nouns."""
        found = []
        for columns, summed in zip(self._columns, self._sums, strict=True):
            if summed is None:
                found.append(torch.zeros(len(columns.nouns), height, width))
                continue
            maps = (summed / self._maps).T.unflatten(1, self._grid)[None]  # type: ignore[no-untyped-call]
            resized = functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False)
            found.append(resized[0].cpu())
        return found


def _bias(mask: torch.Tensor | None, rows: slice, image: int, first: int, tokens: int) -> torch.Tensor | None:
    """Return what a mask adds to the scores of one image's queries, (heads or 1, tokens or 1, keys) float32."""
    if mask is None:
        return None
    mask = mask[(None,) * (4 - mask.ndim)]  # leading dimensions may be left out
    mask = mask[rows][image] if mask.shape[0] > 1 else mask[0]
    if mask.shape[1] > 1:
        mask = mask[:, first : first + tokens]
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, float("-inf"))
    return mask.float()


def _shares(
    columns: list[list[int]],
    *,
    query: torch.Tensor,
    key: torch.Tensor,
    bias: torch.Tensor | None,
    scale: float,
    sums: torch.Tensor | None,
) -> torch.Tensor:
    """Return (tokens, N): for each noun the mean softmax over its columns, summed over heads.

    Args:
        columns: of the N nouns, numbers of keys.
        query: (heads, tokens, d).
        key: (heads, keys, d).
        bias: (heads or 1, tokens or 1, keys), added to the scores; None for none.
        scale: of the scores.
        sums: (heads, tokens), logarithms of the denominators; None where they must be computed.
    """
    heads, tokens, _ = query.shape
    chosen = sorted({column for found in columns for column in found})
    weights = torch.zeros(len(chosen), len(columns), device=query.device)
    for noun, found in enumerate(columns):
        weights[[chosen.index(column) for column in found], noun] = 1.0 / len(found)
    numbers = torch.tensor(chosen, device=query.device)
    if sums is not None:  # other columns are not needed
        key = key.index_select(1, numbers)
        bias = None if bias is None else bias.index_select(2, numbers)
    rows = max(1, min(tokens, _BYTES_AT_ONCE // (_FLOAT32_BYTES * key.shape[1])))
    group = max(1, _BYTES_AT_ONCE // (_FLOAT32_BYTES * key.shape[1] * rows))
    total = torch.zeros(tokens, len(columns), device=query.device)
    for head in range(0, heads, group):
        some = slice(head, head + group)
        keys = (key[some].float() * scale).transpose(-1, -2)
        for start in range(0, tokens, rows):
            part = slice(start, start + rows)
            scores = query[some, part].float() @ keys
            if bias is not None:
                scores += bias[some if bias.shape[0] > 1 else slice(None), part if bias.shape[1] > 1 else slice(None)]
            if sums is not None:
                logarithms = scores - sums[some, part, None]
            else:
                logarithms = scores.index_select(2, numbers) - scores.logsumexp(dim=-1, keepdim=True)
            total[part] += logarithms.exp_().sum(dim=0) @ weights
    return total
