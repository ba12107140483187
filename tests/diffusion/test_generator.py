from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch.nn import functional

from freeda_svc.captions.caption import Caption, Noun, make_caption
from freeda_svc.diffusion import Generator, find_token_columns
from freeda_svc.errors import InputError

TEXTS = [
    "a ball on the grass next to a ball",
    "the moon and a boat in the water under the sky",
    "sand",
    "a house beside a zebra near the tree",
]
NOUNS = [["ball", "grass"], ["moon", "boat", "water", "sky"], ["sand"], ["house", "zebra", "tree"]]


@dataclass(frozen=True)
class Settings:
    steps: int = 3
    guidance_scale: float = 4.0
    height: int = 64
    width: int = 64


def caption_of(text: str) -> Caption:
    caption = make_caption(text)
    assert caption is not None
    return caption


def noun_of(text: str, word: str) -> Noun:
    spans, start = [], text.find(word)
    while start >= 0:
        spans.append((start, start + len(word)))
        start = text.find(word, start + 1)
    return Noun(word, tuple(spans))


CAPTIONS = [caption_of(text) for text in TEXTS]
MENTIONED = [[noun_of(text, word) for word in words] for text, words in zip(TEXTS, NOUNS, strict=True)]


@pytest.fixture(scope="module")
def pipeline(tiny_models_folder: Path) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(
        str(tiny_models_folder / "generator"), safety_checker=None, feature_extractor=None, image_encoder=None
    ).to(dtype=torch.float32)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        for name, parameter in pipeline.unet.named_parameters():
            if "attn2.to_q" in name or "attn2.to_k" in name:
                parameter.copy_(torch.randn_like(parameter))  # untrained attention is flat and would hide mistakes
    return pipeline


class StoringProcessor(AttnProcessor2_0):
    """Eq. 1 restated: every layer's full softmax of every step is kept as it is."""

    def __init__(self, kept: list[torch.Tensor]) -> None:
        super().__init__()
        self.kept = kept

    def __call__(
        self, attn: Attention, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, **others: object
    ) -> torch.Tensor:
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
        scores = attn.get_attention_scores(query, key)  # (B * heads, positions, tokens)
        self.kept.append(scores.unflatten(0, (-1, attn.heads)))
        return super().__call__(attn, hidden_states, encoder_hidden_states, **others)


@pytest.fixture
def stored(pipeline: StableDiffusionPipeline) -> Iterator[list[torch.Tensor]]:
    """Attention of whatever is generated, of the layers that count."""
    kept: list[torch.Tensor] = []
    originals = dict(pipeline.unet.attn_processors)
    changed = {
        name: StoringProcessor(kept) if "attn2" in name and "mid_block" not in name else original
        for name, original in originals.items()
    }
    pipeline.unet.set_attn_processor(changed)
    yield kept
    pipeline.unet.set_attn_processor(originals)


def restate(
    stored: list[torch.Tensor], image: int, images: int, columns: tuple[int, ...], settings: Settings
) -> torch.Tensor:
    maps = []
    for probabilities in stored:
        row = image + images if settings.guidance_scale > 1 else image
        assert len(probabilities) == (2 * images if settings.guidance_scale > 1 else images)
        for head in probabilities[row]:
            token_mean = head[:, list(columns)].mean(dim=1)
            scale = round((len(token_mean) / (settings.height * settings.width)) ** -0.5)
            grid = token_mean.reshape(1, 1, settings.height // scale, settings.width // scale)
            size = (settings.height, settings.width)
            maps.append(functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)[0, 0])
    return torch.stack(maps).mean(dim=0)


@pytest.mark.parametrize("settings", [Settings(), Settings(guidance_scale=1.0), Settings(height=64, width=96)])
@pytest.mark.parametrize("images", [1, 4])
def test_attributions_are_eq_1(
    pipeline: StableDiffusionPipeline, stored: list[torch.Tensor], settings: Settings, images: int
) -> None:
    generated = Generator(pipeline, settings).generate(CAPTIONS[:images], MENTIONED[:images])
    assert len(stored) == settings.steps * (2 + 4)  # layers of the down and the up blocks
    for index, image in enumerate(generated):
        assert image.attributions.shape == (len(image.nouns), settings.height, settings.width)
        found = find_token_columns(pipeline.tokenizer, image.caption, image.nouns)
        for columns, attribution in zip(found.columns, image.attributions, strict=True):
            expected = restate(stored, index, images, columns, settings).numpy()
            assert np.ptp(expected) > 1e-2
            np.testing.assert_allclose(attribution, expected, atol=1e-4)


def test_a_caption_gives_the_same_alone_and_in_a_batch(pipeline: StableDiffusionPipeline) -> None:
    generator = Generator(pipeline, Settings())
    together = generator.generate(CAPTIONS, MENTIONED)
    for caption, nouns, image in zip(CAPTIONS, MENTIONED, together, strict=True):
        [alone] = generator.generate([caption], [nouns])
        assert alone.caption == image.caption == caption
        assert alone.nouns == image.nouns == tuple(nouns)
        assert alone.seed == image.seed
        np.testing.assert_allclose(alone.attributions, image.attributions, atol=1e-3)
        assert np.abs(alone.pixels.astype(int) - image.pixels.astype(int)).max() <= 1
    assert np.abs(together[0].pixels.astype(int) - together[1].pixels.astype(int)).max() > 1


def test_generation_is_what_the_pipeline_alone_gives(pipeline: StableDiffusionPipeline) -> None:
    noise = torch.Generator().manual_seed(int(CAPTIONS[0].id, 16) % 2**63)
    latents = torch.randn(1, 4, 16, 16, generator=noise)
    plain = pipeline(
        TEXTS[0], height=64, width=64, num_inference_steps=3, guidance_scale=4.0, latents=latents, output_type="pil"
    ).images[0]
    [image] = Generator(pipeline, Settings()).generate(CAPTIONS[:1], MENTIONED[:1])
    assert image.pixels.dtype == np.uint8
    assert np.abs(np.asarray(plain).astype(int) - image.pixels.astype(int)).max() <= 1


def test_the_pipeline_has_its_own_processors_afterwards(pipeline: StableDiffusionPipeline) -> None:
    before = dict(pipeline.unet.attn_processors)
    generator = Generator(pipeline, Settings(steps=1))
    generator.generate(CAPTIONS[:1], MENTIONED[:1])
    assert pipeline.unet.attn_processors == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.vae, "decode", None)
        with pytest.raises(TypeError):
            generator.generate(CAPTIONS[:1], MENTIONED[:1])
    assert pipeline.unet.attn_processors == before


def test_captions_without_nouns_are_generated_all_the_same(pipeline: StableDiffusionPipeline) -> None:
    generator = Generator(pipeline, Settings(steps=1))
    first, second = generator.generate(CAPTIONS[:2], [[], MENTIONED[1]])
    assert first.attributions.shape == (0, 64, 64)
    assert second.attributions.shape == (4, 64, 64)
    assert generator.generate(CAPTIONS[:1], [[]])[0].attributions.shape == (0, 64, 64)
    assert generator.generate([], []) == []


def test_the_columns_of_a_noun_are_those_of_all_its_mentions(pipeline: StableDiffusionPipeline) -> None:
    found = find_token_columns(pipeline.tokenizer, CAPTIONS[0], MENTIONED[0])
    assert found.nouns == tuple(MENTIONED[0])
    assert found.columns == ((2, 9), (5,))  # after the start token: a, ball, on, the, grass, next, to, a, ball
    assert found.cut_off == ()


def test_a_word_of_several_tokens_keeps_all_of_them(pipeline: StableDiffusionPipeline) -> None:
    found = find_token_columns(pipeline.tokenizer, CAPTIONS[3], MENTIONED[3])
    house, zebra, tree = found.columns
    assert len(zebra) > 1
    tokens = pipeline.tokenizer.convert_ids_to_tokens(pipeline.tokenizer(TEXTS[3]).input_ids)
    assert "".join(tokens[column] for column in zebra) == "zebra</w>"
    assert [tokens[house[0]], tokens[tree[0]]] == ["house</w>", "tree</w>"]


@pytest.mark.parametrize(
    "text", ["ÀÉ ball \N{GRINNING FACE} tree", "Ball, the TREE!", "e\N{COMBINING ACUTE ACCENT} ball tree"]
)
def test_spans_are_characters_of_the_caption_as_it_is_written(pipeline: StableDiffusionPipeline, text: str) -> None:
    caption = caption_of(text)
    nouns = [Noun(word, (noun_of(caption.text.lower(), word).spans[0],)) for word in ("ball", "tree")]
    tokens = pipeline.tokenizer.convert_ids_to_tokens(pipeline.tokenizer(caption.text).input_ids)
    found = find_token_columns(pipeline.tokenizer, caption, nouns)
    assert [[tokens[column] for column in columns] for columns in found.columns] == [["ball</w>"], ["tree</w>"]]


def test_what_the_tokenizer_cuts_off_is_reported(pipeline: StableDiffusionPipeline) -> None:
    text = "a ball " + "near the grass " * 10 + "and a boat on the grass by a ball"
    caption = caption_of(text)
    nouns = [noun_of(text, word) for word in ("ball", "grass", "boat")]
    [image] = Generator(pipeline, Settings(steps=1)).generate([caption], [nouns])
    assert [noun.text for noun in image.nouns] == ["ball", "grass"]
    assert [noun.text for noun in image.cut_off] == ["boat"]
    assert len(image.attributions) == 2
    ball = find_token_columns(pipeline.tokenizer, caption, nouns).columns[0]
    assert ball == (2,)


def test_a_word_cut_in_two_is_cut_off(pipeline: StableDiffusionPipeline) -> None:
    pieces = len(pipeline.tokenizer("zebra").input_ids) - 2
    text = " ".join(["ball"] * (30 - pieces + 1)) + " zebra"
    found = find_token_columns(pipeline.tokenizer, caption_of(text), [noun_of(text, "zebra"), noun_of(text, "ball")])
    assert [noun.text for noun in found.cut_off] == ["zebra"]
    assert len(found.columns[0]) == 30 - pieces + 1


def test_another_architecture_is_refused(pipeline: StableDiffusionPipeline) -> None:
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        cross_attention_dim=96,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    other = StableDiffusionPipeline(
        vae=pipeline.vae,
        text_encoder=pipeline.text_encoder,
        tokenizer=pipeline.tokenizer,
        unet=unet,
        scheduler=pipeline.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    with pytest.raises(InputError, match="no cross-attention in its down and up blocks"):
        Generator(other, Settings())


def test_sizes_the_pipeline_cannot_do_are_refused(pipeline: StableDiffusionPipeline) -> None:
    with pytest.raises(InputError, match=r"100 x 64 pixels do not suit .* multiples of 8"):
        Generator(pipeline, Settings(width=100))


def test_nouns_are_needed_for_every_caption(pipeline: StableDiffusionPipeline) -> None:
    with pytest.raises(InputError, match="2 captions were given with the nouns of 1"):
        Generator(pipeline, Settings()).generate(CAPTIONS[:2], MENTIONED[:1])
