import pytest
from transformers import CLIPTokenizer

from freeda_svc.captions.caption import Noun
from freeda_svc.diffusion import find_shared_token_columns, find_token_columns
from freeda_svc.errors import InputError
from tests.diffusion.captions_of_tests import caption_of, noun_of


def tokens_of(tokenizer: CLIPTokenizer, text: str) -> list[str]:
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids))


def test_the_columns_of_a_noun_are_those_of_all_its_mentions(tiny_tokenizer: CLIPTokenizer) -> None:
    text = "a ball on the grass next to a ball"
    nouns = [noun_of(text, "ball"), noun_of(text, "grass")]
    found = find_token_columns(tiny_tokenizer, caption_of(text), nouns)
    assert found.nouns == tuple(nouns)
    assert found.columns == ((2, 9), (5,))  # after the start token: a, ball, on, the, grass, next, to, a, ball
    assert found.cut_off == ()


def test_a_word_of_several_tokens_keeps_all_of_them(tiny_tokenizer: CLIPTokenizer) -> None:
    text = "a house beside a zebra near the tree"
    nouns = [noun_of(text, word) for word in ("house", "zebra", "tree")]
    house, zebra, tree = find_token_columns(tiny_tokenizer, caption_of(text), nouns).columns
    tokens = tokens_of(tiny_tokenizer, text)
    assert len(zebra) > 1
    assert "".join(tokens[column] for column in zebra) == "zebra</w>"
    assert [tokens[house[0]], tokens[tree[0]]] == ["house</w>", "tree</w>"]


def test_a_noun_of_several_words_has_the_tokens_of_all_of_them(tiny_tokenizer: CLIPTokenizer) -> None:
    text = "a red tree house in the water"
    nouns = [noun_of(text, word) for word in ("tree house", "house", "water")]
    columns = find_token_columns(tiny_tokenizer, caption_of(text), nouns).columns
    tokens = tokens_of(tiny_tokenizer, text)
    assert [[tokens[column] for column in found] for found in columns] == [
        ["tree</w>", "house</w>"],
        ["house</w>"],
        ["water</w>"],
    ]


@pytest.mark.parametrize(
    "text", ["ÀÉ ball \N{GRINNING FACE} tree", "Ball, the TREE!", "e\N{COMBINING ACUTE ACCENT} ball tree"]
)
def test_spans_are_characters_of_the_caption_as_it_is_written(tiny_tokenizer: CLIPTokenizer, text: str) -> None:
    caption = caption_of(text)
    nouns = [Noun(word, (noun_of(caption.text.lower(), word).spans[0],)) for word in ("ball", "tree")]
    tokens = tokens_of(tiny_tokenizer, caption.text)
    found = find_token_columns(tiny_tokenizer, caption, nouns)
    assert [[tokens[column] for column in columns] for columns in found.columns] == [["ball</w>"], ["tree</w>"]]


@pytest.mark.parametrize("last", ["zebra", "sand zebra"])
def test_a_noun_cut_in_two_is_cut_off(tiny_tokenizer: CLIPTokenizer, last: str) -> None:
    pieces = len(tiny_tokenizer(last).input_ids) - 2
    balls = tiny_tokenizer.model_max_length - 2 - pieces + 1
    text = " ".join(["ball"] * balls) + f" {last}"
    found = find_token_columns(tiny_tokenizer, caption_of(text), [noun_of(text, last), noun_of(text, "ball")])
    assert [noun.text for noun in found.cut_off] == [last]
    assert len(found.columns[0]) == balls


def test_two_tokenizers_must_agree(tiny_tokenizer: CLIPTokenizer) -> None:
    caption = caption_of("a zebra on the grass")
    nouns = [noun_of(caption.text, "zebra"), noun_of(caption.text, "grass")]
    alone = find_token_columns(tiny_tokenizer, caption, nouns)
    assert find_shared_token_columns([tiny_tokenizer, tiny_tokenizer], caption, nouns) == alone
    coarse = CLIPTokenizer(
        vocab={"<|startoftext|>": 0, "<|endoftext|>": 1, "!": 2, "z": 3, "a</w>": 4, "z</w>": 5},
        merges=[],
        model_max_length=tiny_tokenizer.model_max_length,
    )
    with pytest.raises(InputError, match="tokenizers divide 'a zebra on the grass' into different tokens"):
        find_shared_token_columns([tiny_tokenizer, coarse], caption, nouns)
