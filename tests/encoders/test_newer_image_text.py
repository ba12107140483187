"""SigLIP 2 and PE-Core, read from the files they come in, against what their own parts compute."""

from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import Transformer
from torch.nn import functional

from freeda_svc.encoders import TEMPLATES, ImageTextModel
from freeda_svc.packs.image_text_model import read_image_text
from freeda_svc.packs.precision import Computing
from freeda_svc.parameters import Source
from tests.encoders.newer_models import EOS, PAD, gemma_tokenizer, write_image_text

CPU = Computing(device="cpu", generator="float32", encoders="float32")
TEXTS = ["A photo of the large boat.", "the  SKY", "a_red-ball", "", "ball " * 60]


@pytest.fixture(params=["siglip2", "pe_core"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(folder: Path, kind: str, size: int = 32) -> tuple[ImageTextModel, open_clip.CustomTextCLIP]:
    written = write_image_text(folder, kind)
    activation = {"siglip2": "gelu_tanh", "pe_core": "gelu"}[kind]
    return read_image_text(
        folder, size, CPU, Source(description="x", licence="x", origin="x", activation=activation)
    ), written


def siglip_tokens(text: str) -> torch.Tensor:
    """Its own way: small letters, no punctuation, an end, and padding behind it up to the context length."""
    plain = " ".join("".join(" " if c == "_" else c for c in text if c.isalnum() or c in " _").lower().split())
    numbers = gemma_tokenizer().encode(plain, add_special_tokens=False).ids[:15]
    return torch.tensor([[*numbers, EOS, *[PAD] * (15 - len(numbers))]])


def test_siglip2_reads_a_text_at_the_last_place_behind_its_padding(tmp_path: Path) -> None:
    found, model = read(tmp_path, "siglip2")
    assert found.dimension == 32
    text = model.text
    for words in TEXTS:
        with torch.no_grad():
            tokens = siglip_tokens(words)
            states = text.token_embedding(tokens) + text.positional_embedding
            states = text.ln_final(text.transformer(states))  # no mask: it looks both ways, and at the padding
            expected = text.text_projection(states[:, -1])
        torch.testing.assert_close(found.embed_texts([words]), expected, atol=1e-5, rtol=1e-4)


def test_pe_core_reads_a_text_at_its_end_and_no_further_than_32_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, model = read(tmp_path, "pe_core")
    assert found.dimension == 24
    tokens = open_clip.SimpleTokenizer(context_length=32)(TEXTS)
    assert tokens.shape == (5, 32)
    with torch.no_grad():
        expected = model.encode_text(tokens)
    lengths: list[int] = []
    compute = Transformer.forward

    def watch(transformer: Transformer, states: torch.Tensor, **others: object) -> torch.Tensor:
        lengths.append(states.shape[1])
        return compute(transformer, states, **others)

    monkeypatch.setattr(Transformer, "forward", watch)
    torch.testing.assert_close(found.embed_texts(TEXTS), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.embed_texts(TEXTS[1:2]), expected[1:2], atol=1e-5, rtol=1e-4)
    assert lengths == [32, 2 + 2]


def test_images_are_squashed_and_normalised_as_the_model_was_trained(tmp_path: Path, kind: str) -> None:
    found, model = read(tmp_path, kind)
    photos = torch.rand(3, 3, 50, 70, generator=torch.Generator().manual_seed(2))
    way = {"siglip2": "bicubic", "pe_core": "bilinear"}[kind]
    squashed = functional.interpolate(photos, size=(32, 32), mode=way, antialias=False, align_corners=False)
    with torch.no_grad():
        expected = model.encode_image((squashed - 0.5) / 0.5)
    torch.testing.assert_close(found.embed_images(photos), expected, atol=1e-5, rtol=1e-4)


def test_a_text_or_an_image_alone_gives_what_it_gives_in_a_batch(tmp_path: Path, kind: str) -> None:
    found, _ = read(tmp_path, kind)
    together = found.embed_texts(TEXTS)
    for number, words in enumerate(TEXTS):
        torch.testing.assert_close(found.embed_texts([words])[0], together[number], atol=1e-5, rtol=1e-4)
    photos = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    embedded = found.embed_images(photos)
    for number in range(4):
        torch.testing.assert_close(found.embed_images(photos[number][None])[0], embedded[number], atol=1e-5, rtol=1e-4)


def test_nouns_are_means_over_the_templates(tmp_path: Path, kind: str) -> None:
    found, _ = read(tmp_path, kind)
    mean = found.embed_texts([template.replace("{}", "boat") for template in TEMPLATES]).mean(dim=0)
    torch.testing.assert_close(found.embed_nouns(["boat"])[0], mean / mean.norm(), atol=1e-5, rtol=1e-4)


def test_the_bias_of_the_sigmoid_changes_no_embedding(tmp_path: Path) -> None:
    found, model = read(tmp_path, "siglip2")
    with torch.no_grad():
        photos = torch.rand(2, 3, 32, 32)
        logits, _ = model.get_logits((photos - 0.5) / 0.5, torch.cat([siglip_tokens(words) for words in TEXTS]))
    images, texts = found.embed_images(photos), found.embed_texts(TEXTS)
    cosines = functional.normalize(images, dim=-1) @ functional.normalize(texts, dim=-1).T
    torch.testing.assert_close(cosines * model.logit_scale.exp() + model.logit_bias, logits, atol=1e-3, rtol=1e-4)


def test_another_size_than_the_model_was_trained_at_fits_its_positions(tmp_path: Path, kind: str) -> None:
    found, model = read(tmp_path, kind, size=48)
    model.visual.set_input_size(48)
    photos = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = model.encode_image((photos - 0.5) / 0.5)
    torch.testing.assert_close(found.embed_images(photos), expected, atol=1e-5, rtol=1e-4)
