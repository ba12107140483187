# ruff: noqa: ANN401  (pipelines and their parts share no type)
"""Eq. 1 for transformers restated: every layer's full softmax of every step is kept, and words are looked up in tokens.

Order of the sequence, dropped tokens and the conditional part are written down once more in ``transformer_kinds``,
independent of the code that is tested.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import T5Tokenizer

from freeda_svc.captions.caption import Caption

Ids = list[list[int]]
"""Token ids of one caption, as its text encoders were given them, padding left out where it is masked."""


@dataclass(frozen=True)
class Kind:
    """What is known of a tiny pipeline.

    Attributes:
        maker: its function in ``tiny_transformers``.
        layers: names of the modules with attention to the text, in order; ``*`` stands for a number.
        image: number of the image's first query, from the numbers of keys, image tokens and text tokens.
        text: number of the first key that is text, from the number of image tokens.
        halves: which half of a guided batch is conditional, 0 or 1; None for guidance in two passes or embedded.
        passes: calls of the transformer in each guided step.
        noise: shape of one image's noise, from rows and columns of image tokens.
        columns: gives the columns of a word in the text, from its tokens.
        arguments: of the pipeline, from the guidance scale.
        token: side of an image token, pixels.
        unguided: a scale that means no guidance.
        encoders: that are given the caption.
        side: height of the test's images, pixels; they are half as wide again.
    """

    maker: str
    layers: tuple[str, ...]
    image: Callable[[int, int, int], int]
    text: Callable[[int], int]
    noise: Callable[[int, int], tuple[int, ...]]
    columns: Callable[[Any, Ids, str, str], list[int]]
    arguments: Callable[[float], dict[str, Any]] = lambda scale: {"guidance_scale": scale}
    halves: int | None = None
    passes: int = 1
    token: int = 4
    unguided: float = 1.0
    encoders: tuple[str, ...] = ("text_encoder",)
    side: int = 32


def words_in(tokenizer: Any, ids: list[int], text: str, word: str) -> list[int]:
    """Find the tokens of a word in a caption by writing all tokens one behind the other."""
    written, starts = "", []
    for token in tokenizer.convert_ids_to_tokens(ids):
        starts.append(len(written))
        written += token.replace("▁", " ").replace("Ġ", " ").replace("Ċ", "\n").replace("</w>", " ")
    starts.append(len(written))
    written = written.replace("\n", " ")
    [begin] = [place for place in range(len(written)) if written.startswith(f"{text.lower()}", place)][-1:]
    lone_space_is_of_the_word = isinstance(tokenizer, T5Tokenizer)  # which drops spaces, and marks where words begin
    found = []
    for place in range(len(text)):
        if text.startswith(word, place):
            first, last = begin + place, begin + place + len(word)
            found += [
                number
                for number, (start, end) in enumerate(pairwise(starts))
                if max(start + (written[start] == " "), first) < min(end, last)
                or (lone_space_is_of_the_word and written[start:end] == " " and first == end)
            ]
    return found


@dataclass(frozen=True)
class Plain:
    """What a pipeline gives on its own.

    Attributes:
        pixels: (B, H, W, 3) uint8.
        attention: (rows, heads, queries, keys) of each layer at each call.
        ids: of each caption, what each encoder was given.
    """

    pixels: np.ndarray
    attention: list[torch.Tensor]
    ids: list[Ids]


@contextmanager
def _keeping(pipeline: Any, kind: Kind, kept: list[torch.Tensor]) -> Iterator[None]:
    inside: list[object] = []
    fused = functional.scaled_dot_product_attention

    def written_out(*args: Any, **others: Any) -> torch.Tensor:
        if not inside:
            return fused(*args, **others)
        query, key, value = args or (others["query"], others["key"], others["value"])
        scale, attn_mask = others.get("scale"), others.get("attn_mask")
        assert not others.get("is_causal")
        scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, float("-inf"))
        elif attn_mask is not None:
            scores = scores + attn_mask
        kept.append(scores.softmax(dim=-1))
        return kept[-1] @ value

    def marked(processor: Any) -> Any:
        original = type(processor)

        @wraps(original.__call__)
        def call(self: Any, *args: Any, **others: Any) -> Any:
            inside.append(self)
            try:
                return original.__call__(self, *args, **others)
            finally:
                inside.pop()

        return type(f"Storing{original.__name__}", (original,), {"__call__": call})()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", written_out)
        for layer in layers_of(pipeline.transformer, kind):
            patch.setattr(layer, "processor", marked(layer.processor))
        yield


def layers_of(transformer: torch.nn.Module, kind: Kind) -> list[torch.nn.Module]:
    """Return the modules that a kind names."""
    found = []
    for pattern in kind.layers:
        before, after = pattern.split("*")
        number = 0
        while f"{before}{number}{after}" in dict(transformer.named_modules()):
            found.append(transformer.get_submodule(f"{before}{number}{after}"))
            number += 1
    return found


def generate_plainly(pipeline: Any, kind: Kind, captions: list[Caption], scale: float, steps: int) -> Plain:
    """Let a pipeline generate an image of each caption, with the noise that follows from the caption."""
    height, width = kind.side, kind.side * 3 // 2
    noises = [torch.Generator().manual_seed(int(caption.id, 16) % 2**63) for caption in captions]
    shape = kind.noise(height // kind.token, width // kind.token)
    kept: list[torch.Tensor] = []
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name in kind.encoders:

        def see(module: Any, args: Any, others: Any, name: str = name) -> None:
            if name not in seen:  # the first call is of the captions, later ones of what is not wanted
                ids = others["input_ids"] if "input_ids" in others else args[0]
                mask = others.get("attention_mask")
                seen[name] = torch.where(mask.bool(), ids, -1) if mask is not None else ids

        hooks.append(getattr(pipeline, name).register_forward_pre_hook(see, with_kwargs=True))
    with _keeping(pipeline, kind, kept):
        images = pipeline(
            prompt=[caption.text for caption in captions],
            height=height,
            width=width,
            num_inference_steps=steps,
            latents=torch.cat([torch.randn(1, *shape, generator=noise) for noise in noises]),
            output_type="pil",
            **kind.arguments(scale),
        ).images
    for hook in hooks:
        hook.remove()
    ids = [
        [[number for number in seen[name][row].tolist() if number >= 0] for name in kind.encoders]
        for row in range(len(captions))
    ]
    return Plain(np.stack([np.asarray(image) for image in images]), kept, ids)


def restate(
    pipeline: Any,
    kind: Kind,
    plain: Plain,
    caption: Caption,
    *,
    image: int,
    word: str,
    guided: bool,
    blocks: tuple[int, ...] = (),
    steps: tuple[int, ...] = (),
) -> np.ndarray:
    """Return the attribution (H, W) of a word in one image."""
    layers = len(layers_of(pipeline.transformer, kind))
    passes = kind.passes if guided else 1
    height, width = kind.side, kind.side * 3 // 2
    grid = (height // kind.token, width // kind.token)
    tokens = grid[0] * grid[1]
    columns = kind.columns(pipeline, plain.ids[image], caption.text, word)
    assert columns
    images, maps = len(plain.ids), []
    for number, probabilities in enumerate(plain.attention):
        call, block = divmod(number, layers)
        step, one = divmod(call, passes)
        if one or (blocks and block not in blocks) or (steps and step not in steps):
            continue
        halved = guided and kind.halves is not None
        assert len(probabilities) == (2 * images if halved else images)
        row = image + images if halved and kind.halves == 1 else image
        length = sum(len(ids) for ids in plain.ids[image])
        first = kind.image(probabilities.shape[-1], tokens, length)
        text = kind.text(tokens)
        for head in probabilities[row, :, first : first + tokens]:
            mean = head[:, [text + column for column in columns]].mean(dim=1).reshape(1, 1, *grid)
            maps.append(functional.interpolate(mean, size=(height, width), mode="bilinear", align_corners=False)[0, 0])
    return torch.stack(maps).mean(dim=0).numpy()
