"""Which tokens of a caption name which noun: the columns of the attention that eq. 1 reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import CLIPTokenizer

from freeda_svc.captions import Caption, Noun, Span
from freeda_svc.errors import InputError


@dataclass(frozen=True)
class TokenColumns:
    """Which tokens of a caption name which noun.

    Attributes:
        nouns: those with at least one mention within the tokenizer's length.
        columns: for each of ``nouns``, positions of the tokens of all its mentions, in order.
        cut_off: nouns with no whole mention within the tokenizer's length.
    """

    nouns: tuple[Noun, ...]
    columns: tuple[tuple[int, ...], ...]
    cut_off: tuple[Noun, ...]


@dataclass(frozen=True)
class TextBlock:
    """The columns of one text encoder.

    Attributes:
        offsets: which characters each column's token has in the text that was tokenized, (0, 0) for none.
        places: for each character of the caption, and for its end, where it is in the text that was tokenized.
        first: number of the first column.
    """

    offsets: tuple[Span, ...]
    places: tuple[int, ...]
    first: int = 0


@dataclass(frozen=True)
class TextLayout:
    """What the columns of a caption are.

    Attributes:
        blocks: of all text encoders whose tokens have columns of their own.
        length: number of columns that hold text, its template included and padding left out.
    """

    blocks: tuple[TextBlock, ...]
    length: int


def token_offsets(tokenizer: Any, text: str, **options: Any) -> tuple[Span, ...]:  # noqa: ANN401  (any tokenizer)
    """Tokenize a text as a pipeline does, and return which characters each token has, (0, 0) for special ones.

    Args:
        tokenizer: one that knows its tokens' character ranges.
        text: to be tokenized.
        options: what the pipeline asks of the tokenizer.

    Raises:
        InputError: the tokenizer does not know its tokens' character ranges.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError("the generator's tokenizer gives no character ranges; use one of the tokenizers library")
    encoding = tokenizer(text, truncation=True, return_offsets_mapping=True, **options)
    return tuple((int(start), int(end)) for start, end in encoding["offset_mapping"])


def find_columns(layout: TextLayout, nouns: Sequence[Noun]) -> TokenColumns:
    """Find the columns of a caption's nouns by their character spans.

    A word may be several tokens, a noun several words, it may be mentioned several times, and several encoders may
    read it; a mention that an encoder's length cuts off, even in part, does not count there.

    Args:
        layout: of the caption.
        nouns: with spans in the caption.
    """
    found: list[tuple[Noun, tuple[int, ...]]] = []
    cut_off: list[Noun] = []
    for noun in nouns:
        columns = tuple(column for block in layout.blocks for column in _columns_in(block, noun))
        if columns:
            found.append((noun, columns))
        else:
            cut_off.append(noun)
    return TokenColumns(
        nouns=tuple(noun for noun, _ in found),
        columns=tuple(columns for _, columns in found),
        cut_off=tuple(cut_off),
    )


def _columns_in(block: TextBlock, noun: Noun) -> list[int]:
    reach = max((end for _, end in block.offsets), default=0)
    spans = [(block.places[first], block.places[last]) for first, last in noun.spans]
    whole = [span for span in spans if span[1] <= reach]
    return [
        column
        for column, (start, end) in enumerate(block.offsets, block.first)
        if any(max(start, first) < min(end, last) for first, last in whole)
    ]


def find_token_columns(tokenizer: CLIPTokenizer, caption: Caption, nouns: Sequence[Noun]) -> TokenColumns:
    """Find the tokens of a caption's nouns where the caption alone is given to one tokenizer.

    Args:
        tokenizer: the pipeline's, one that knows its tokens' character ranges.
        caption: the text given to the pipeline.
        nouns: with spans in that text.

    Raises:
        InputError: the tokenizer does not know its tokens' character ranges.
    """
    offsets = token_offsets(tokenizer, caption.text, max_length=tokenizer.model_max_length)
    places = tuple(range(len(caption.text) + 1))
    return find_columns(TextLayout((TextBlock(offsets, places),), len(offsets)), nouns)


def find_shared_token_columns(
    tokenizers: Sequence[CLIPTokenizer], caption: Caption, nouns: Sequence[Noun]
) -> TokenColumns:
    """Find the columns of a caption whose encoders' embeddings are joined feature by feature, token by token.

    Args:
        tokenizers: of all text encoders, at least one.
        caption: the text that all of them are given.
        nouns: with spans in that text.

    Raises:
        InputError: the tokenizers divide the caption differently, so that a column has no one meaning.
    """
    first, *others = (find_token_columns(tokenizer, caption, nouns) for tokenizer in tokenizers)
    if any(other != first for other in others):
        raise divided_differently(caption.text)
    return first


def divided_differently(text: str) -> InputError:
    """Return the error of tokenizers whose tokens share columns and are not the same."""
    return InputError(
        f"the generator's tokenizers divide '{text}' into different tokens, "
        "so its nouns cannot be located; use tokenizers of one vocabulary"
    )
