"""ConceptAttention: where the image's attention outputs are like those of a noun that is a concept of its own.

Each noun is encoded alone and goes through the double blocks of a joint transformer as a further stream of text, beside
the picture that is generated: concepts attend to the image and to each other, and nothing attends to them. Its map is
the dot product of its attention output with the image's, before the projection (Helbling et al., ICML 2025). The paper
takes a softmax over all concepts of an image; that is left out, for a caption may have one noun only, and each map is
scaled by itself afterwards.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from freeda_svc.captions import Noun
from freeda_svc.diffusion.columns import TextLayout, TokenColumns, find_columns
from freeda_svc.diffusion.observing import Attended
from freeda_svc.diffusion.token_attention import Arrangement


@dataclass(frozen=True, eq=False)
class Concepts:
    """How a family makes concepts.

    Attributes:
        embeddings: returns for a pipeline and texts the embeddings that its transformer takes, (texts, columns, width).
        columns_of_all: whether a noun is the mean of all its tokens, or of those of the first text encoder.
        pooled: whether concepts get the caption's pooled embedding, or zeros.
    """

    embeddings: Callable[[Any, list[str]], torch.Tensor]
    columns_of_all: bool
    pooled: bool


@torch.no_grad()
def embed_concepts(
    pipeline: Any,  # noqa: ANN401  (pipelines share no type)
    concepts: Concepts,
    layout: Callable[[Any, str], TextLayout],
    columns: Sequence[TokenColumns],
) -> list[torch.Tensor]:
    """Encode the nouns of images as concepts, each alone: the mean of its tokens.

    Args:
        pipeline: with text encoders.
        concepts: how its family makes them.
        layout: says what a text's columns are.
        columns: the nouns of each of B images.

    Returns:
        B of (1, N, width), N the image's number of nouns.
    """
    texts = sorted({noun.text for found in columns for noun in found.nouns})
    if not texts:
        return [torch.empty(1, 0, 0)] * len(columns)
    vectors: dict[str, torch.Tensor] = {}
    for text, embedding in zip(texts, concepts.embeddings(pipeline, texts), strict=True):
        whole = layout(pipeline, text)
        blocks = whole.blocks if concepts.columns_of_all else whole.blocks[:1]
        [tokens] = find_columns(TextLayout(blocks, whole.length), [Noun(text, ((0, len(text)),))]).columns
        vectors[text] = embedding[list(tokens)].mean(dim=0)
    width = next(iter(vectors.values())).shape[-1]
    return [
        torch.stack([vectors[noun.text] for noun in found.nouns])[None] if found.nouns else torch.empty(1, 0, width)
        for found in columns
    ]


class ConceptRecorder:
    """Leads the concepts of one batch of images through a transformer while it generates, and sums their maps."""

    def __init__(
        self,
        transformer: Any,  # noqa: ANN401
        embeddings: Sequence[torch.Tensor],
        grid: tuple[int, int],
        arrangement: Arrangement,
        blocks: Collection[int],
        *,
        pooled: bool,
    ) -> None:
        """Prepare for a batch.

        Args:
            transformer: with double blocks.
            embeddings: B of (1, N, width), of each image's nouns; N may be 0.
            grid: rows and columns of the image's tokens.
            arrangement: where they are in a layer's sequence.
            blocks: numbers, from 0, of the double blocks that count.
            pooled: whether concepts get the caption's pooled embedding, or zeros.
        """
        self._transformer = transformer
        self._embeddings = embeddings
        self._grid = grid
        self._arrangement = arrangement
        self._blocks = frozenset(blocks)
        self._pooled = pooled
        self._moment: torch.Tensor | None = None
        self._streams: list[torch.Tensor] = []
        self._sums: list[torch.Tensor | None] = [None] * len(embeddings)
        self._maps = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record the modulation of each call of the transformer: timestep, guidance, pooled text."""

        def record(module: torch.nn.Module, given: tuple[torch.Tensor, ...], embedded: torch.Tensor) -> None:
            if self._pooled:
                self._moment = embedded
            else:  # another call of the same, which no hook sees
                self._moment = module.forward(*given[:-1], torch.zeros_like(given[-1]))

        hook = self._transformer.time_text_embed.register_forward_hook(record)
        try:
            yield
        finally:
            hook.remove()

    @torch.no_grad()
    def attended(self, layer: Attended) -> None:
        """Take the concepts through one double block, whose attention over image and text is given."""
        images, tokens = len(self._embeddings), self._grid[0] * self._grid[1]
        if layer.number == 0:
            embed = self._transformer.context_embedder
            self._streams = [embed(found.to(layer.query)) if found.shape[1] else found for found in self._embeddings]
        assert self._moment is not None
        moment = self._moment[-images:]
        place = self._arrangement(layer.key.shape[2], tokens, 0)
        positions = slice(place.image, place.image + tokens)
        block = self._transformer.transformer_blocks[layer.number]
        for image, (key, value, output) in enumerate(
            zip(layer.key[-images:], layer.value[-images:], layer.output[-images:], strict=True)
        ):
            if not self._embeddings[image].shape[1]:
                continue
            attended, self._streams[image] = _through(
                block, self._streams[image], moment[image : image + 1], (key[:, positions], value[:, positions])
            )
            if layer.number in self._blocks:
                maps = torch.einsum("hpd,hnd->pn", output[:, positions].float(), attended.float())
                kept = self._sums[image]
                self._sums[image] = maps if kept is None else kept + maps
        self._maps += layer.number in self._blocks

    def attributions(self, height: int, width: int) -> list[torch.Tensor]:
        """Return each image's maps, (N, height, width) float32 in main memory: mean dot products, of any sign."""
        found = []
        for embedding, summed in zip(self._embeddings, self._sums, strict=True):
            if summed is None:
                found.append(torch.zeros(embedding.shape[1], height, width))
                continue
            maps = (summed / self._maps).T.unflatten(1, self._grid)[None]  # type: ignore[no-untyped-call]
            resized = functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False)
            found.append(resized[0].cpu())
        return found


def _through(
    block: Any,  # noqa: ANN401
    stream: torch.Tensor,
    moment: torch.Tensor,
    image: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the concepts of one image through a double block, by the layers of the text's stream.

    Args:
        block: of the transformer.
        stream: (1, N, width) of the concepts.
        moment: (1, width) embedding of timestep and pooled text.
        image: keys and values of the image's tokens, each (heads, tokens, d).

    Returns:
        The concepts' attention output, (heads, N, d) before the projection, and their stream behind the block.
    """
    attention = block.attn
    last = getattr(block, "context_pre_only", False)
    if last:  # nothing reads the text behind this block
        normed = block.norm1_context(stream, moment)
    else:
        normed, gate, shift, scale, gate_forward = block.norm1_context(stream, emb=moment)
    query, key, value = (
        project(normed).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
        for project in (attention.add_q_proj, attention.add_k_proj, attention.add_v_proj)
    )
    if attention.norm_added_q is not None:
        query = attention.norm_added_q(query)
    if attention.norm_added_k is not None:
        key = attention.norm_added_k(key)
    # the rotary embedding of text is the identity where there is one: its positions are all 0
    attended = functional.scaled_dot_product_attention(
        query, torch.cat([key, image[0][None]], dim=2), torch.cat([value, image[1][None]], dim=2)
    )
    if last:
        return attended[0], stream
    stream = stream + gate[:, None] * attention.to_add_out(attended.transpose(1, 2).flatten(2))
    normed = block.norm2_context(stream) * (1 + scale[:, None]) + shift[:, None]
    stream = stream + gate_forward[:, None] * block.ff_context(normed)
    if stream.dtype == torch.float16:  # as the block itself does with the text
        stream = stream.clip(-65504, 65504)
    return attended[0], stream
