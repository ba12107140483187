# ruff: noqa: ANN401  (tokenizers share no type)
"""A tiny tokenizer of each kind.

Each knows the words of a few captions, so that some words are one token and others, such as zebra, several.
"""

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

import diffusers
import transformers

from tests.diffusion.captions_of_tests import TEXTS

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if add_generation_prompt and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.:;<>()-'\"_|/!"
WORDS = sorted({word for text in TEXTS for word in text.split()} - {"zebra"})


@cache
def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(letter, -5.0) for letter in LETTERS] + [(f"▁{word}", -1.0) for word in WORDS if word != "a"]
    return transformers.T5Tokenizer(vocab=[*pieces, ("▁a", -1.0)], extra_ids=0, model_max_length=512)


def _merges(words: Sequence[str], space: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the pieces and merges by which words grow letter by letter behind a space."""
    merges = {(space + word[:end], word[end]): None for word in words for end in range(len(word))}
    return ["".join(pair) for pair in merges], list(merges)


MISTRAL_CHAT = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}[SYSTEM_PROMPT]"
    "{{ message.content[0].text }}[/SYSTEM_PROMPT]{% else %}[INST]{{ message.content[0].text }}[/INST]{% endif %}"
    "{% endfor %}"
)


@cache
def mistral_processor() -> Any:
    tokenizer = _byte_level(bos_token="<s>")
    marks = ("SYSTEM_PROMPT", "/SYSTEM_PROMPT", "INST", "/INST", "IMG", "IMG_BREAK", "IMG_END")
    tokenizer.add_special_tokens({"additional_special_tokens": [f"[{mark}]" for mark in marks]})
    return transformers.PixtralProcessor(
        image_processor=transformers.PixtralImageProcessor(), tokenizer=tokenizer, chat_template=MISTRAL_CHAT
    )


@cache
def qwen_tokenizer() -> Any:
    tokenizer = _byte_level()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT
    return tokenizer


def _byte_level(**others: object) -> Any:
    from tokenizers.pre_tokenizers import ByteLevel  # noqa: PLC0415

    pieces, merges = _merges(WORDS, "Ġ")
    vocabulary = {piece: number for number, piece in enumerate([*sorted(ByteLevel.alphabet()), *pieces])}
    return transformers.Qwen2Tokenizer(
        vocab=vocabulary | {"<|endoftext|>": len(vocabulary)}, merges=merges, model_max_length=2048, **others
    )


@cache
def gemma_tokenizer() -> Any:
    instruction = " ".join(SANA_WORDS + WORDS)
    pieces, merges = _merges(sorted(set(instruction.split())), "▁")
    vocabulary = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", "\n", *LETTERS, *pieces]
    return transformers.GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate(vocabulary)}, merges=merges, model_max_length=4096
    )


def _instruction_words() -> list[str]:
    parameters = inspect.signature(diffusers.SanaPipeline.__call__).parameters
    return " ".join(parameters["complex_human_instruction"].default).split()


SANA_WORDS = _instruction_words()


@cache
def clip_tokenizer() -> Any:
    letters = [letter + end for letter in LETTERS[:26] for end in ("", "</w>")]
    return transformers.CLIPTokenizer(
        vocab={
            piece: number
            for number, piece in enumerate(
                ["<|startoftext|>", "<|endoftext|>", *letters, "th", "the</w>", "ba", "bal", "ball</w>"]
            )
        },
        merges=[("t", "h"), ("th", "e</w>"), ("b", "a"), ("ba", "l"), ("bal", "l</w>")],
        model_max_length=77,
    )
