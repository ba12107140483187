# ruff: noqa: ANN401  (pipelines and their parts share no type)
"""What is known of each tiny pipeline: order of its tokens, what it drops, which part of a step is conditional."""

import inspect
from typing import Any

from tests.diffusion.restated_attention import Ids, Kind, words_in


def _shift(by: int) -> Any:
    def columns(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
        return [number - by for number in words_in(pipeline.tokenizer, ids[0], text, word)]

    return columns


def _by_t5(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
    return words_in(pipeline.tokenizer_2, ids[0], text, word)


def _by_mistral(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
    return words_in(pipeline.tokenizer.tokenizer, ids[0], text, word)


def _by_sana(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
    default = inspect.signature(pipeline.__call__).parameters["complex_human_instruction"].default
    padded = len(pipeline.tokenizer.encode("\n".join(default))) + 298
    return [number - (padded - 300) for number in words_in(pipeline.tokenizer, ids[0], text, word)]


def _by_clip_and_t5(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
    clip = words_in(pipeline.tokenizer, ids[0], text, word)
    if pipeline.tokenizer_3 is None:
        return clip
    return clip + [77 + number for number in words_in(pipeline.tokenizer_3, ids[1], text, word)]


def _by_t5_and_llama(pipeline: Any, ids: Ids, text: str, word: str) -> list[int]:
    t5 = words_in(pipeline.tokenizer_3, ids[0], text, word)
    llama = words_in(pipeline.tokenizer_4, ids[1], text, word)
    return [*t5, *(128 + number for number in llama), *(256 + number for number in llama)]


def _true_guidance(scale: float) -> dict[str, Any]:
    return {"true_cfg_scale": scale, "negative_prompt": " "} if scale > 1 else {"true_cfg_scale": 1.0}


DOUBLE_AND_SINGLE = ("transformer_blocks.*.attn", "single_transformer_blocks.*.attn")

KINDS = [
    Kind(
        "pixart",
        layers=("transformer_blocks.*.attn2",),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_shift(0),
        arguments=lambda scale: {
            "guidance_scale": scale,
            "clean_caption": False,
            "use_resolution_binning": False,
        },
        halves=1,
    ),
    Kind(
        "sana",
        layers=("transformer_blocks.*.attn2",),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (4, rows, columns),
        columns=_by_sana,
        arguments=lambda scale: {"guidance_scale": scale, "use_resolution_binning": False},
        halves=1,
        side=64,
    ),
    Kind(
        "sd3",
        layers=("transformer_blocks.*.attn",),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: tokens,
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_by_clip_and_t5,
        halves=1,
        encoders=("text_encoder", "text_encoder_3"),
    ),
    Kind(
        "sd35_without_t5",
        layers=("transformer_blocks.*.attn",),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: tokens,
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_by_clip_and_t5,
        halves=1,
    ),
    Kind(
        "flux",
        layers=DOUBLE_AND_SINGLE,
        image=lambda keys, tokens, text: 512,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (rows * columns, 16),
        columns=_by_t5,
        arguments=_true_guidance,
        passes=2,
        encoders=("text_encoder_2",),
    ),
    Kind(
        "flux_with_embedded_guidance",
        layers=DOUBLE_AND_SINGLE,
        image=lambda keys, tokens, text: 512,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (rows * columns, 16),
        columns=_by_t5,
        encoders=("text_encoder_2",),
    ),
    Kind(
        "flux2_klein",
        layers=DOUBLE_AND_SINGLE,
        image=lambda keys, tokens, text: 512,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (16, rows, columns),
        columns=_shift(0),
        passes=2,
    ),
    Kind(
        "flux2",
        layers=DOUBLE_AND_SINGLE,
        image=lambda keys, tokens, text: 512,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (16, rows, columns),
        columns=_by_mistral,
    ),
    Kind(
        "qwen_image",
        layers=("transformer_blocks.*.attn",),
        image=lambda keys, tokens, text: keys - tokens,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (rows * columns, 16),
        columns=_shift(34),
        arguments=_true_guidance,
        passes=2,
    ),
    Kind(
        "z_image",
        layers=("layers.*.attention",),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: (tokens + 31) // 32 * 32,
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_shift(0),
        halves=0,
        unguided=0.0,
        side=40,  # 150 tokens: no multiple of 32
    ),
    Kind(
        "lumina2",
        layers=("layers.*.attn",),
        image=lambda keys, tokens, text: text,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_shift(0),
        passes=2,
        token=16,
        side=96,
    ),
    Kind(
        "krea2",
        layers=("transformer_blocks.*.attn",),
        image=lambda keys, tokens, text: keys - tokens,
        text=lambda tokens: 0,
        noise=lambda rows, columns: (rows * columns, 16),
        columns=_shift(34),
        passes=2,
        unguided=0.0,
    ),
    Kind(
        "hidream",
        layers=("double_stream_blocks.*.block.attn1", "single_stream_blocks.*.block.attn1"),
        image=lambda keys, tokens, text: 0,
        text=lambda tokens: 121,  # 96 tokens are padded, as the image is no square
        noise=lambda rows, columns: (4, 2 * rows, 2 * columns),
        columns=_by_t5_and_llama,
        halves=1,
        encoders=("text_encoder_3", "text_encoder_4"),
    ),
]
