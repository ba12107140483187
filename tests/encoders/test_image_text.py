import copy

import open_clip
import pytest
import torch
from transformers import CLIPTokenizer

from freeda_svc.encoders import TEMPLATES, ImageTextModel
from freeda_svc.miniature.training import image_text
from freeda_svc.miniature.training.generator import tokenize


@pytest.fixture(scope="module")
def clip(tiny_tokenizer: CLIPTokenizer) -> open_clip.CLIP:
    with torch.random.fork_rng(devices=[]):
        return image_text.build(tiny_tokenizer).eval()


class CountingTokenizer:
    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.tokenizer, self.seen = tokenizer, 0

    def __call__(self, texts: list[str]) -> torch.Tensor:
        self.seen += len(texts)
        return tokenize(self.tokenizer, texts)


@pytest.fixture
def tokenizer(tiny_tokenizer: CLIPTokenizer) -> CountingTokenizer:
    return CountingTokenizer(tiny_tokenizer)


@pytest.fixture
def model(clip: open_clip.CLIP, tokenizer: CountingTokenizer) -> ImageTextModel:
    return ImageTextModel(clip, tokenizer, 64, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def test_texts_are_embedded_as_they_are(
    model: ImageTextModel, clip: open_clip.CLIP, tokenizer: CountingTokenizer
) -> None:
    texts = ["a ball on the grass", "the sky"]
    with torch.no_grad():
        expected = clip.encode_text(tokenizer(texts))
    torch.testing.assert_close(model.embed_texts(texts), expected)


def test_texts_are_encoded_no_further_than_the_longest_one(
    model: ImageTextModel, clip: open_clip.CLIP, tokenizer: CountingTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a ball on the grass", "the sky", "a ball " * 40]
    with torch.no_grad():
        expected = clip.encode_text(tokenizer(texts))
    lengths: list[int] = []
    compute = clip.transformer.forward

    def watch(states: torch.Tensor, **others: object) -> torch.Tensor:
        lengths.append(states.shape[1])
        return compute(states, **others)

    monkeypatch.setattr(clip.transformer, "forward", watch)
    short, long = model.embed_texts(texts[:2]), model.embed_texts(texts[1:])
    torch.testing.assert_close(torch.cat([short, long[1:]]), expected, atol=1e-4, rtol=1e-3)
    assert lengths == [2 + 5, clip.context_length]


@pytest.mark.parametrize("change", [{"text_pool_type": "last"}, {"attn_mask": None}])
def test_a_text_encoder_that_reads_its_padding_gets_it(
    clip: open_clip.CLIP, tokenizer: CountingTokenizer, change: dict[str, object]
) -> None:
    other = copy.deepcopy(clip)
    for name, value in change.items():
        setattr(other, name, value)
    texts = ["a ball on the grass", "the sky"]
    with torch.no_grad():
        expected = other.encode_text(tokenizer(texts))
    model = ImageTextModel(other, tokenizer, 64, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    torch.testing.assert_close(model.embed_texts(texts), expected)


def test_many_texts_give_the_same_as_each_alone(model: ImageTextModel) -> None:
    texts = [f"a ball {number}" for number in range(300)]
    together = model.embed_texts(texts)
    assert together.shape == (300, model.dimension)
    torch.testing.assert_close(together[299:], model.embed_texts(texts[299:]), atol=1e-4, rtol=1e-3)


def test_nouns_are_means_over_the_templates_normalised_afterwards(model: ImageTextModel) -> None:
    sentences = model.embed_texts([template.replace("{}", "boat") for template in TEMPLATES])
    mean = sentences.mean(dim=0)
    torch.testing.assert_close(model.embed_nouns(["boat"])[0], mean / mean.norm(), atol=1e-5, rtol=1e-4)


def test_nouns_come_back_in_the_order_they_were_asked_for(model: ImageTextModel) -> None:
    ball, tree = model.embed_nouns(["ball", "tree"])
    again = model.embed_nouns(["tree", "car", "ball", "tree"])
    torch.testing.assert_close(again[[0, 2, 3]], torch.stack([tree, ball, tree]))
    torch.testing.assert_close(again.norm(dim=-1), torch.ones(4))


def test_a_noun_is_computed_once(model: ImageTextModel, tokenizer: CountingTokenizer) -> None:
    model.embed_nouns(["ball", "tree", "ball"])
    model.embed_nouns(["tree"])
    assert tokenizer.seen == 2 * len(TEMPLATES)


def test_a_noun_that_came_out_broken_is_computed_again(model: ImageTextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    embed_texts = model.embed_texts
    with monkeypatch.context() as patch:
        patch.setattr(model, "embed_texts", lambda texts: torch.full_like(embed_texts(texts), float("nan")))
        assert model.embed_nouns(["ball", "ball"]).isnan().all()
    assert model.embed_nouns(["ball"]).isfinite().all()


def test_braces_in_a_category_are_text(model: ImageTextModel) -> None:
    assert model.embed_nouns(["{} {0} {name}"]).isfinite().all()


def test_nothing_asked_is_nothing_answered(model: ImageTextModel) -> None:
    assert model.embed_texts([]).shape == model.embed_nouns([]).shape == (0, model.dimension)


def test_its_mean_colour_is_nothing_to_the_model(
    model: ImageTextModel, clip: open_clip.CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[torch.Tensor] = []
    encode = clip.encode_image
    monkeypatch.setattr(clip, "encode_image", lambda pixels: (shown.append(pixels), encode(pixels))[1])
    model.embed_images(torch.tensor(model.mean_colour).view(1, 3, 1, 1).expand(1, 3, 64, 64))
    torch.testing.assert_close(shown[0], torch.zeros(1, 3, 64, 64))


def test_images_are_squashed_bicubic_and_normalised(model: ImageTextModel, clip: open_clip.CLIP) -> None:
    photos = torch.rand(2, 3, 80, 100, generator=torch.Generator().manual_seed(2))
    squashed = torch.nn.functional.interpolate(photos, size=(64, 64), mode="bicubic", antialias=False)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    with torch.no_grad():
        expected = clip.encode_image((squashed - mean[:, None, None]) / std[:, None, None])
    embedded = model.embed_images(photos)
    assert embedded.shape == (2, model.dimension)
    torch.testing.assert_close(embedded, expected)
