"""Which tokens of a caption name which noun: the columns of the cross-attention that eq. 1 reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import CLIPTokenizer

from freeda_svc.captions.caption import Caption, Noun, Span
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


def find_token_columns(tokenizer: CLIPTokenizer, caption: Caption, nouns: Sequence[Noun]) -> TokenColumns:
    """Find the tokens of a caption's nouns by their character spans.

    A word may be several tokens, a noun several words, and it may be mentioned several times; a mention that the
    tokenizer's length cuts off, even in part, does not count.

    Args:
        tokenizer: the pipeline's, one that knows its tokens' character ranges.
        caption: the text given to the pipeline.
        nouns: with spans in that text.

    Raises:
        InputError: the tokenizer does not know its tokens' character ranges.
    """
    if not tokenizer.is_fast:
        raise InputError("the generator's tokenizer gives no character ranges; use one of the tokenizers library")
    encoding = tokenizer(
        caption.text, truncation=True, max_length=tokenizer.model_max_length, return_offsets_mapping=True
    )
    offsets: list[Span] = [(int(start), int(end)) for start, end in encoding["offset_mapping"]]
    reach = max(end for _, end in offsets)
    found: list[tuple[Noun, tuple[int, ...]]] = []
    cut_off: list[Noun] = []
    for noun in nouns:
        whole = [span for span in noun.spans if span[1] <= reach]
        columns = tuple(
            column
            for column, (start, end) in enumerate(offsets)
            if any(max(start, first) < min(end, last) for first, last in whole)
        )
        if columns:
            found.append((noun, columns))
        else:
            cut_off.append(noun)
    return TokenColumns(
        nouns=tuple(noun for noun, _ in found),
        columns=tuple(columns for _, columns in found),
        cut_off=tuple(cut_off),
    )


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
        raise InputError(
            f"the generator's tokenizers divide '{caption.text}' into different tokens, "
            "so its nouns cannot be located; use tokenizers of one vocabulary"
        )
    return first
