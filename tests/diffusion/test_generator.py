from dataclasses import dataclass

import numpy as np
import pytest
import torch
from diffusers import (
    DiffusionPipeline,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch.nn import functional

from freeda_svc.captions.caption import Caption
from freeda_svc.diffusion import Generator, find_token_columns
from freeda_svc.errors import InputError
from freeda_svc.parameters import AttributionParameters
from tests.diffusion.captions_of_tests import CAPTIONS, MENTIONED, caption_of, noun_of

EVERYTHING = AttributionParameters()


@dataclass(frozen=True)
class Settings:
    steps: int = 3
    guidance_scale: float = 4.0
    height: int = 64
    width: int = 64
    attribution: AttributionParameters = EVERYTHING


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


@dataclass(frozen=True)
class Plain:
    """What a pipeline gives on its own: images (B, H, W, 3), and the attention of every layer that counts."""

    pixels: np.ndarray
    attention: list[torch.Tensor]


def generate_plainly(pipeline: DiffusionPipeline, captions: list[Caption], settings: Settings, each: int = 1) -> Plain:
    kept: list[torch.Tensor] = []
    originals = dict(pipeline.unet.attn_processors)
    changed = {
        name: StoringProcessor(kept) if "attn2" in name and "mid_block" not in name else original
        for name, original in originals.items()
    }
    seeds = [(int(caption.id, 16) + number) % 2**63 for caption in captions for number in range(each)]
    noises = [torch.Generator().manual_seed(seed) for seed in seeds]
    latents = [torch.randn(1, 4, settings.height // 4, settings.width // 4, generator=noise) for noise in noises]
    pipeline.unet.set_attn_processor(changed)
    try:
        images = pipeline(
            [caption.text for caption in captions],
            height=settings.height,
            width=settings.width,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            num_images_per_prompt=each,
            latents=torch.cat(latents),
            output_type="pil",
        ).images
    finally:
        pipeline.unet.set_attn_processor(originals)
    return Plain(np.stack([np.asarray(image) for image in images]), kept)


def restate(
    attention: list[torch.Tensor], image: int, images: int, columns: tuple[int, ...], settings: Settings
) -> np.ndarray:
    maps = []
    for probabilities in attention:
        row = image + images if settings.guidance_scale > 1 else image
        assert len(probabilities) == (2 * images if settings.guidance_scale > 1 else images)
        for head in probabilities[row]:
            token_mean = head[:, list(columns)].mean(dim=1)
            scale = round((len(token_mean) / (settings.height * settings.width)) ** -0.5)
            grid = token_mean.reshape(1, 1, settings.height // scale, settings.width // scale)
            size = (settings.height, settings.width)
            maps.append(functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)[0, 0])
    return torch.stack(maps).mean(dim=0).numpy()


KINDS = pytest.mark.parametrize(("kind", "layers"), [("pipeline", 2 + 4), ("xl_pipeline", 2 + 4)])


@KINDS
@pytest.mark.parametrize("settings", [Settings(), Settings(guidance_scale=1.0), Settings(height=64, width=96)])
@pytest.mark.parametrize("batch", [(1, 1), (4, 1), (2, 2)])  # captions, and images of each
def test_attributions_are_those_of_equation_1(
    request: pytest.FixtureRequest, kind: str, layers: int, settings: Settings, batch: tuple[int, int]
) -> None:
    captions, each = batch
    pipeline = request.getfixturevalue(kind)
    generated = Generator(pipeline, settings).generate(CAPTIONS[:captions], MENTIONED[:captions], each)
    plain = generate_plainly(pipeline, CAPTIONS[:captions], settings, each)
    assert len(plain.attention) == settings.steps * layers  # of the down and the up blocks
    assert len(generated) == captions * each
    for index, image in enumerate(generated):
        assert image.caption == CAPTIONS[index // each]
        assert image.attributions.shape == (len(image.nouns), settings.height, settings.width)
        found = find_token_columns(pipeline.tokenizer, image.caption, image.nouns)
        for columns, attribution in zip(found.columns, image.attributions, strict=True):
            expected = restate(plain.attention, index, captions * each, columns, settings)
            assert np.ptp(expected) > 1e-2
            np.testing.assert_allclose(attribution, expected, atol=1e-4)


@KINDS
def test_generation_is_what_the_pipeline_alone_gives(request: pytest.FixtureRequest, kind: str, layers: int) -> None:
    pipeline = request.getfixturevalue(kind)
    plain = generate_plainly(pipeline, CAPTIONS[:2], Settings())
    images = Generator(pipeline, Settings()).generate(CAPTIONS[:2], MENTIONED[:2])
    for expected, image in zip(plain.pixels, images, strict=True):
        assert image.pixels.dtype == np.uint8
        assert np.abs(expected.astype(int) - image.pixels.astype(int)).max() <= 1


@KINDS
def test_other_models_may_be_used_before_each_pass(request: pytest.FixtureRequest, kind: str, layers: int) -> None:
    pipeline = request.getfixturevalue(kind)
    generator = Generator(pipeline, Settings())
    [alone] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
    passes: list[bool] = []

    def use_another() -> None:
        other = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        torch.rand(3)
        passes.append(other(*(torch.ones(1, 4, 8),) * 3)[0].requires_grad)

    [interrupted] = generator.generate(CAPTIONS[:1], MENTIONED[:1], on_step=use_another)
    assert passes == [False] * Settings().steps
    np.testing.assert_array_equal(interrupted.pixels, alone.pixels)
    np.testing.assert_array_equal(interrupted.attributions, alone.attributions)
    generator.generate(CAPTIONS[:1], MENTIONED[:1])
    assert len(passes) == Settings().steps  # of that generation only


@KINDS
def test_a_batch_of_many_scores_is_attributed_in_parts(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, layers: int
) -> None:
    generator = Generator(request.getfixturevalue(kind), Settings())
    [whole] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
    monkeypatch.setattr("freeda_svc.diffusion.attribution.BYTES_AT_ONCE", 1)
    [parts] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
    np.testing.assert_allclose(parts.attributions, whole.attributions, atol=1e-6)


@KINDS
def test_a_caption_gives_the_same_alone_and_in_a_batch(request: pytest.FixtureRequest, kind: str, layers: int) -> None:
    generator = Generator(request.getfixturevalue(kind), Settings())
    together = generator.generate(CAPTIONS, MENTIONED)
    for caption, nouns, image in zip(CAPTIONS, MENTIONED, together, strict=True):
        [alone] = generator.generate([caption], [nouns])
        assert alone.caption == image.caption == caption
        assert alone.nouns == image.nouns == tuple(nouns)
        assert alone.seed == image.seed
        np.testing.assert_allclose(alone.attributions, image.attributions, atol=1e-3)
        assert np.abs(alone.pixels.astype(int) - image.pixels.astype(int)).max() <= 1
    assert np.abs(together[0].pixels.astype(int) - together[1].pixels.astype(int)).max() > 1


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


def test_a_u_net_without_cross_attention_is_refused(pipeline: StableDiffusionPipeline) -> None:
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
    with pytest.raises(
        InputError, match=r"no cross-attention in its down and up blocks.* use a Stable Diffusion model"
    ):
        Generator(other, Settings())


def test_a_transformer_is_refused(pipeline: StableDiffusionPipeline) -> None:
    transformer = PixArtTransformer2DModel(
        num_attention_heads=1, attention_head_dim=8, num_layers=1, cross_attention_dim=8, sample_size=8
    )
    other = PixArtAlphaPipeline(
        tokenizer=None, text_encoder=None, vae=pipeline.vae, transformer=transformer, scheduler=pipeline.scheduler
    )
    with pytest.raises(
        InputError,
        match=r"is a PixArtAlphaPipeline with a PixArtTransformer2DModel, .* use a Stable Diffusion model of the 1.x",
    ):
        Generator(other, Settings())


def test_blocks_and_concepts_cannot_be_chosen_for_a_u_net(pipeline: StableDiffusionPipeline) -> None:
    for attribution in (AttributionParameters(blocks=(1,)), AttributionParameters(method="concept")):
        with pytest.raises(InputError, match="of a U-Net, nouns are located by all its cross-attention"):
            Generator(pipeline, Settings(attribution=attribution))


def test_attention_that_does_more_is_refused(pipeline: StableDiffusionPipeline) -> None:
    originals = dict(pipeline.unet.attn_processors)
    pipeline.unet.set_attn_processor(
        {name: StoringProcessor([]) if "attn2" in name else item for name, item in originals.items()}
    )
    try:
        with pytest.raises(InputError, match="computed by StoringProcessor, which cannot be observed"):
            Generator(pipeline, Settings())
    finally:
        pipeline.unet.set_attn_processor(originals)


def test_images_do_not_depend_on_an_installed_watermark(
    xl_pipeline: StableDiffusionXLPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blackening:
        def apply_watermark(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full_like(images, -1.0)

    monkeypatch.setattr(xl_pipeline, "watermark", Blackening())
    [image] = Generator(xl_pipeline, Settings(steps=1)).generate(CAPTIONS[:1], MENTIONED[:1])
    assert image.pixels.any()


def test_captions_may_give_several_images_each(pipeline: StableDiffusionPipeline) -> None:
    generator = Generator(pipeline, Settings(steps=1))
    images = generator.generate(CAPTIONS[:2], MENTIONED[:2], 2)
    assert [image.caption for image in images] == [CAPTIONS[0]] * 2 + [CAPTIONS[1]] * 2
    assert len({image.seed for image in images}) == 4
    [first, _] = generator.generate(CAPTIONS[:2], MENTIONED[:2])
    assert first.seed == images[0].seed
    assert np.abs(first.pixels.astype(int) - images[0].pixels.astype(int)).max() <= 1
    assert np.abs(images[1].pixels.astype(int) - images[0].pixels.astype(int)).max() > 1
    with pytest.raises(InputError, match="at least one image per caption"):
        generator.generate(CAPTIONS[:1], MENTIONED[:1], 0)


def test_sizes_the_pipeline_cannot_do_are_refused(pipeline: StableDiffusionPipeline) -> None:
    with pytest.raises(InputError, match=r"100 x 64 pixels do not suit .* multiples of 8"):
        Generator(pipeline, Settings(width=100))


def test_nouns_are_needed_for_every_caption(pipeline: StableDiffusionPipeline) -> None:
    with pytest.raises(InputError, match="2 captions were given with the nouns of 1"):
        Generator(pipeline, Settings()).generate(CAPTIONS[:2], MENTIONED[:1])
