"""The word tokenizer: every word of the miniature world is one token, every other text still has tokens."""

from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from freeda_svc.encoders.templates import TEMPLATES, fill
from freeda_svc.miniature.scenes import EASY, NOUNS, paint_scene
from freeda_svc.miniature.training import vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tokenizer of this module is saved."""
    return tmp_path_factory.mktemp("tokenizer")


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> CLIPTokenizer:
    return vocabulary.train(folder)


def test_words_of_the_world_are_one_token_each(tokenizer: CLIPTokenizer) -> None:
    texts = [paint_scene((1, number), EASY).caption for number in range(50)]
    texts += [fill(template, noun) for template in TEMPLATES for noun in NOUNS]
    for text in texts:
        assert len(tokenizer.tokenize(text)) == len(text.replace(".", " .").split())


def test_unknown_words_are_spelled_not_lost(tokenizer: CLIPTokenizer) -> None:
    text = "excavator bucket, été 7"
    assert tokenizer.unk_token not in tokenizer.tokenize(text)
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True).replace(" ", "") == text.replace(
        " ", ""
    )


def test_end_token_has_the_highest_number(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer.eos_token_id == len(tokenizer) - 1


def test_a_tokenizer_that_was_cut_off_has_no_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def write(path: Path, _content: bytes) -> None:
        written.append(path.name)
        if path.name == vocabulary.VOCABULARY_FILE:
            raise InterruptedError

    monkeypatch.setattr(vocabulary, "write_whole", write)
    with pytest.raises(InterruptedError):
        vocabulary.train(tmp_path)
    assert sorted(written) == ["merges.txt", "tokenizer_config.json", "vocab.json"]


def test_training_twice_gives_the_same_files(tokenizer: CLIPTokenizer, folder: Path, tmp_path: Path) -> None:
    vocabulary.train(tmp_path)
    for file in ("vocab.json", "merges.txt"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
