"""What the text columns of a transformer are: each family has its own way, and template, of tokenizing a caption.

The pipelines' own tokenizers are asked, with the options that the pipelines use, and say which characters each token
has; what a pipeline puts before the caption or drops again is taken into account, never counted in advance.
"""

import inspect
from collections.abc import Callable
from typing import Any

from freeda_svc.captions import Span
from freeda_svc.diffusion.columns import TextBlock, TextLayout, divided_differently, token_offsets
from freeda_svc.errors import InputError

_MARK = "\ue000"  # of the private use area: no template has it

T5_TOKENS_SD3, T5_TOKENS_FLUX = 256, 512
PADDED = {"padding": "max_length"}


def _plain(text: str, before: int = 0) -> tuple[int, ...]:
    return tuple(range(before, before + len(text) + 1))


def _lowered(text: str) -> tuple[str, tuple[int, ...]]:
    """Return a text as pipelines clean it, and where its characters are then: some letters are two in lower case."""
    lowered = text.lower()
    leading = len(lowered) - len(lowered.lstrip())
    return lowered.strip(), tuple(max(0, len(text[:index].lower()) - leading) for index in range(len(text) + 1))


def _templated(render: Callable[[str], str], text: str) -> tuple[str, tuple[int, ...]]:
    """Return a caption in its template, and where its characters are there.

    Raises:
        InputError: the template changes the caption.
    """
    before, mark, _ = render(_MARK).partition(_MARK)
    rendered = render(text)
    if not mark or not rendered.startswith(before + text):
        raise InputError(
            f"the generator's template changes the caption '{text}', so its nouns cannot be located; "
            "use the tokenizer that belongs to the model"
        )
    return rendered, _plain(text, len(before))


def _chat(tokenizer: Any, text: str, **options: Any) -> tuple[str, tuple[int, ...]]:  # noqa: ANN401
    def render(content: str) -> str:
        messages = [{"role": "user", "content": content}]
        rendered: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
        return rendered

    return _templated(render, text)


def _one_block(offsets: tuple[Span, ...], places: tuple[int, ...], length: int | None = None) -> TextLayout:
    return TextLayout((TextBlock(offsets, places),), len(offsets) if length is None else length)


def pixart(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401  (pipelines share no type that says what they have)
    """PixArt: the T5 encoder's tokens of the lower-case caption."""
    lowered, places = _lowered(text)
    return _one_block(token_offsets(pipeline.tokenizer, lowered, max_length=300), places)


def sana_instruction(pipeline: Any) -> list[str]:  # noqa: ANN401
    """Return the instruction that Sana's pipeline puts before the caption by default."""
    default: list[str] = inspect.signature(pipeline.__call__).parameters["complex_human_instruction"].default
    return default


def sana(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """Sana: of instruction and lower-case caption, padded on the right, the first token and the last 299."""
    columns = 300
    instruction = "\n".join(sana_instruction(pipeline))
    lowered, places = _lowered(text)
    pipeline.tokenizer.padding_side = "right"  # as the pipeline sets it
    most = len(pipeline.tokenizer.encode(instruction)) + columns - 2
    offsets = token_offsets(pipeline.tokenizer, instruction + lowered, max_length=most, **PADDED)
    places = tuple(len(instruction) + place for place in places)
    return _one_block((offsets[0], *offsets[-columns + 1 :]), places)


def stable_diffusion_3(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """SD 3: the columns that both CLIP encoders share, and behind them those of T5, where there is one."""
    most = pipeline.tokenizer_max_length
    clip, other = (
        token_offsets(tokenizer, text, max_length=most, **PADDED)
        for tokenizer in (pipeline.tokenizer, pipeline.tokenizer_2)
    )
    if clip != other:
        raise divided_differently(text)
    blocks = [TextBlock(clip, _plain(text))]
    if pipeline.text_encoder_3 is not None:
        t5 = token_offsets(pipeline.tokenizer_3, text, max_length=T5_TOKENS_SD3, **PADDED)
        blocks.append(TextBlock(t5, _plain(text), first=len(clip)))
    return TextLayout(tuple(blocks), len(clip) + T5_TOKENS_SD3)


def flux(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """FLUX.1: the T5 encoder's tokens; CLIP's has no columns."""
    return _one_block(token_offsets(pipeline.tokenizer_2, text, max_length=T5_TOKENS_FLUX, **PADDED), _plain(text))


def z_image(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """Z-Image: the chat template's tokens, padding dropped."""
    rendered, places = _chat(pipeline.tokenizer, text, enable_thinking=True)
    return _one_block(token_offsets(pipeline.tokenizer, rendered, max_length=512), places)


def flux_2_klein(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """FLUX.2 klein: the chat template's tokens, padded on the tokenizer's side."""
    rendered, places = _chat(pipeline.tokenizer, text, enable_thinking=False)
    return _one_block(token_offsets(pipeline.tokenizer, rendered, max_length=512, **PADDED), places)


def flux_2(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """FLUX.2: the tokens of system message and caption in the chat template, padded on the tokenizer's side."""
    processor = pipeline.tokenizer

    def render(content: str) -> str:
        said = {"system": pipeline.system_message, "user": content.replace("[IMG]", "")}  # as the pipeline does
        messages = [{"role": role, "content": [{"type": "text", "text": words}]} for role, words in said.items()]
        rendered: str = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        return rendered

    rendered, places = _templated(render, text)
    begin = processor.tokenizer.bos_token
    begun = begin is not None and rendered.startswith(begin)
    offsets = token_offsets(processor.tokenizer, rendered, max_length=512, add_special_tokens=not begun, **PADDED)
    return _one_block(offsets, places)


def qwen_image(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """Qwen-Image: the template's tokens without the first ones, 512 at most."""
    dropped = pipeline.prompt_template_encode_start_idx
    rendered, places = _templated(pipeline.prompt_template_encode.format, text)
    most = pipeline.tokenizer_max_length + dropped
    return _one_block(token_offsets(pipeline.tokenizer, rendered, max_length=most)[dropped:][:512], places)


def lumina_2(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """Lumina 2: system prompt and caption; padding is dropped in the layers that are observed."""
    before = f"{pipeline.system_prompt} <Prompt Start> "
    return _one_block(token_offsets(pipeline.tokenizer, before + text, max_length=256), _plain(text, len(before)))


def krea_2(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """Krea 2: template and caption without the first tokens, then padding, then the template's last tokens."""
    before, dropped = pipeline.prompt_template_encode_prefix, pipeline.prompt_template_encode_start_idx
    last = pipeline.prompt_template_encode_num_suffix_tokens
    offsets = token_offsets(pipeline.tokenizer, before + text, max_length=512 + dropped - last, **PADDED)
    return _one_block((*offsets[dropped:], *[(0, 0)] * last), _plain(text, len(before)))


def hidream(pipeline: Any, text: str) -> TextLayout:  # noqa: ANN401
    """HiDream: T5's tokens, Llama's of its last layer, and Llama's of the layer that belongs to the block."""
    blocks: list[TextBlock] = []
    for tokenizer in (pipeline.tokenizer_3, pipeline.tokenizer_4, pipeline.tokenizer_4):
        offsets = token_offsets(tokenizer, text, max_length=min(128, tokenizer.model_max_length), **PADDED)
        blocks.append(TextBlock(offsets, _plain(text), first=sum(len(block.offsets) for block in blocks)))
    return TextLayout(tuple(blocks), sum(len(block.offsets) for block in blocks))
