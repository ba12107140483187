"""What attribution costs in transformers: in joint attention (SD 3) and in a single stream (Z-Image).

All blocks and steps count, which is the most that a pack can ask for. Layers are those of the models with fewer
channels and blocks, and random weights; the pipelines are given embeddings, and what is measured ends with the latents.
"""

import freeda_svc.torchvision_operators  # noqa: F401  (before diffusers)

# isort: split
import statistics
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import (
    AutoencoderTiny,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)

from benchmarks.offline import peak_bytes, processor_seconds
from benchmarks.results import Result
from freeda_svc.captions import Noun
from freeda_svc.diffusion import TokenColumns, fused
from freeda_svc.diffusion.families import FAMILIES, Family, attention_layers
from freeda_svc.diffusion.observing import Attended, observing
from freeda_svc.diffusion.token_attention import TokenAttentionRecorder

IMAGES, STEPS, ROUNDS = 2, 2, 8
LATENTS, GRID = 64, (32, 32)
BLOCKS, HEADS, HEAD_SIZE = 6, 6, 64
CLIP_TOKENS, T5_TOKENS, CHAT_TOKENS = 77, 256, 40
COLUMNS = TokenColumns(
    nouns=tuple(Noun(name, ((0, 1),)) for name in ("dog", "frisbee", "park")), columns=((2,), (5, 6), (9,)), cut_off=()
)


class StoringRecorder(TokenAttentionRecorder):
    """Keeps each layer's probabilities from image to text, summed over steps, and would read them at the end."""

    def __init__(self, *given: Any, text: slice, rows: slice) -> None:  # noqa: ANN401
        super().__init__(*given)
        self._text = text
        self._kept_rows = rows
        self._kept: dict[int, torch.Tensor] = {}

    @torch.no_grad()
    def attended(self, layer: Attended) -> None:
        """Keep one layer's probabilities, or add them to those of earlier steps."""
        query, key = layer.query[self._kept_rows], layer.key[self._kept_rows]
        scores = query[:, :, : GRID[0] * GRID[1]] @ key.transpose(-1, -2) * layer.scale
        probabilities = scores.softmax(dim=-1)[..., self._text].clone()
        if layer.number in self._kept:
            self._kept[layer.number] += probabilities
        else:
            self._kept[layer.number] = probabilities


def _family(name: str) -> Family:
    return next(family for family in FAMILIES if family.pipeline == name)


class _Joint:
    """Joint attention, image first, guidance in two halves of a batch."""

    name = "joint"
    family = _family("StableDiffusion3Pipeline")
    text = slice(GRID[0] * GRID[1], None)
    rows = slice(-IMAGES, None)
    first_half = False

    def __init__(self) -> None:
        torch.manual_seed(0)
        width = HEADS * HEAD_SIZE
        transformer = SD3Transformer2DModel(
            num_layers=BLOCKS,
            attention_head_dim=HEAD_SIZE,
            num_attention_heads=HEADS,
            joint_attention_dim=width,
            caption_projection_dim=width,
            pooled_projection_dim=width,
        )
        self.pipeline = StableDiffusion3Pipeline(
            transformer=transformer.eval(),
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4),
            **dict.fromkeys(f"{part}{number}" for part in ("text_encoder", "tokenizer") for number in ("", "_2", "_3")),
        )
        self.pipeline.vae_scale_factor = 8
        noise = torch.Generator().manual_seed(1)
        tokens = CLIP_TOKENS + T5_TOKENS
        texts, nothing = (torch.randn(IMAGES, tokens, width, generator=noise) for _ in range(2))
        self.arguments = {
            "prompt_embeds": texts,
            "negative_prompt_embeds": nothing,
            "pooled_prompt_embeds": texts.mean(dim=1),
            "negative_pooled_prompt_embeds": nothing.mean(dim=1),
            "latents": torch.randn(IMAGES, 16, LATENTS, LATENTS, generator=noise),
            "guidance_scale": 4.0,
        }


class _SingleStream:
    """One stream of image, padding and text, as in Z-Image, with guidance in two halves of a batch."""

    name = "single_stream"
    family = _family("ZImagePipeline")
    text = slice(GRID[0] * GRID[1], None)
    rows = slice(0, IMAGES)
    first_half = True

    def __init__(self) -> None:
        torch.manual_seed(0)
        transformer = ZImageTransformer2DModel(
            dim=HEADS * HEAD_SIZE,
            n_layers=BLOCKS,
            n_refiner_layers=1,
            n_heads=HEADS,
            n_kv_heads=HEADS,
            cap_feat_dim=64,
            axes_dims=[16, 24, 24],
        )
        self.pipeline = ZImagePipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae=AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4),
            text_encoder=None,
            tokenizer=None,
            transformer=transformer.eval(),
        )
        self.pipeline.vae_scale_factor = 8
        noise = torch.Generator().manual_seed(1)
        texts, nothing = ([torch.randn(CHAT_TOKENS, 64, generator=noise) for _ in range(IMAGES)] for _ in range(2))
        self.arguments = {
            "prompt_embeds": texts,
            "negative_prompt_embeds": nothing,
            "latents": torch.randn(IMAGES, 16, LATENTS, LATENTS, generator=noise),
            "guidance_scale": 4.0,
        }


class _Generation:
    """One batch, always the same, with or without a recorder."""

    def __init__(self, kind: _Joint | _SingleStream) -> None:
        self._kind = kind
        self._pipeline: Any = kind.pipeline
        self._pipeline.set_progress_bar_config(disable=True)
        self._layers = attention_layers(kind.family, self._pipeline.transformer)
        self._given = ([COLUMNS] * IMAGES, [CHAT_TOKENS] * IMAGES, GRID, kind.family.arrangement)

    def plainly(self) -> None:
        self._pipeline(
            height=8 * LATENTS,
            width=8 * LATENTS,
            num_inference_steps=STEPS,
            output_type="latent",
            **self._kind.arguments,
        )

    def _observed(self, recorder: TokenAttentionRecorder) -> None:
        with observing(self._pipeline.transformer, self._layers, recorder, 1, ()):
            self.plainly()

    def attributed(self) -> None:
        recorder = TokenAttentionRecorder(*self._given, first_half=self._kind.first_half)
        self._observed(recorder)
        recorder.attributions(8 * LATENTS, 8 * LATENTS)

    def attributed_without_kernels(self) -> None:
        with _no_kernels():
            self.attributed()

    def stored(self) -> None:
        self._observed(StoringRecorder(*self._given, text=self._kind.text, rows=self._kind.rows))


@contextmanager
def _no_kernels() -> Any:  # noqa: ANN401
    """Let denominators be computed, as on devices whose kernels do not tell them."""
    kernels = dict(fused.KERNELS)
    fused.KERNELS.clear()
    try:
        yield
    finally:
        fused.KERNELS.update(kernels)


def _measured(kind: Callable[[], _Joint | _SingleStream]) -> list[Result]:
    generation = _Generation(kind())
    name = kind.name  # type: ignore[attr-defined]
    generation.plainly()
    ways = ("plainly", "attributed", "attributed_without_kernels")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS):  # in turns, each first as often as last
        for way in sorted(ways, reverse=bool(number % 2)):
            seconds[way].append(processor_seconds(getattr(generation, way)))
    ratio, slower = (
        statistics.median(one / other for one, other in zip(seconds[way], seconds["plainly"], strict=True))
        for way in ways[1:]
    )
    base, ours, all_kept = (peak_bytes(work) for work in (generation.plainly, generation.attributed, generation.stored))
    share = (ours - base) / (all_kept - base)
    return [
        Result(f"{name}_capture_time_over_plain", ratio, "", "the same pipeline without attribution", ratio),
        Result(f"{name}_capture_time_without_kernels", slower, "", "the same pipeline without attribution", slower),
        Result(f"{name}_generation_plain_s", statistics.median(seconds["plainly"]), "s"),
        Result(f"{name}_capture_memory_over_store_all", share, "", "keeping every layer's maps of the text", share),
        Result(f"{name}_attribution_extra_peak_mib", (ours - base) / 2**20, "MiB"),
        Result(f"{name}_store_all_extra_peak_mib", (all_kept - base) / 2**20, "MiB"),
    ]


def run() -> list[Result]:
    """Measure both on one thread."""
    torch.set_num_threads(1)
    return [*_measured(_Joint), *_measured(_SingleStream)]
