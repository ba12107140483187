import numpy as np
import pytest

from freeda_svc.captions.caption import Noun
from freeda_svc.diffusion import Generator, fused
from freeda_svc.diffusion.columns import find_columns
from freeda_svc.diffusion.families import find_family
from freeda_svc.errors import InputError
from freeda_svc.parameters import AttributionParameters
from tests.diffusion.captions_of_tests import CAPTIONS, MENTIONED, caption_of, noun_of
from tests.diffusion.restated_attention import Kind, generate_plainly, restate
from tests.diffusion.test_generator import Settings
from tests.diffusion.tiny_transformers import tiny_pipeline
from tests.diffusion.transformer_kinds import KINDS

EVERY_KIND = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.maker) for kind in KINDS])
STEPS = 2
pytestmark = pytest.mark.usefixtures("one_thread")


def settings_of(kind: Kind, *, guided: bool, **others: object) -> Settings:
    scale = 3.0 if guided else kind.unguided
    return Settings(steps=STEPS, guidance_scale=scale, height=kind.side, width=kind.side * 3 // 2, **others)


@EVERY_KIND
@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("images", [1, 4])
def test_attributions_are_those_of_equation_1(
    kind: Kind, guided: bool, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if images == 1:  # as on a device without such kernels
        monkeypatch.setattr(fused, "KERNELS", {})
    pipeline = tiny_pipeline(kind.maker)
    settings = settings_of(kind, guided=guided)
    generated = Generator(pipeline, settings).generate(CAPTIONS[:images], MENTIONED[:images])
    plain = generate_plainly(pipeline, kind, CAPTIONS[:images], settings.guidance_scale, STEPS)
    for index, image in enumerate(generated):
        assert image.nouns == tuple(MENTIONED[index])
        assert image.cut_off == ()
        assert np.abs(plain.pixels[index].astype(int) - image.pixels.astype(int)).max() <= 1
        for noun, attribution in zip(image.nouns, image.attributions, strict=True):
            expected = restate(pipeline, kind, plain, image.caption, image=index, word=noun.text, guided=guided)
            assert np.ptp(expected) > 0.1 * expected.mean() > 1e-5
            np.testing.assert_allclose(attribution, expected, atol=1e-4 * min(1.0, expected.max() * 20))


@EVERY_KIND
def test_a_caption_gives_the_same_alone_and_in_a_batch(kind: Kind) -> None:
    generator = Generator(tiny_pipeline(kind.maker), settings_of(kind, guided=True))
    together = generator.generate(CAPTIONS[1:3], MENTIONED[1:3], 2)
    for number, image in enumerate(together[::2], 1):
        [alone] = generator.generate(CAPTIONS[number : number + 1], MENTIONED[number : number + 1])
        assert (alone.caption, alone.nouns, alone.seed) == (image.caption, image.nouns, image.seed)
        np.testing.assert_allclose(alone.attributions, image.attributions, atol=1e-3 * image.attributions.max())
        assert np.abs(alone.pixels.astype(int) - image.pixels.astype(int)).max() <= 1
    assert np.abs(together[0].pixels.astype(int) - together[1].pixels.astype(int)).max() > 1


@EVERY_KIND
def test_blocks_and_steps_may_be_chosen(kind: Kind) -> None:
    pipeline = tiny_pipeline(kind.maker)
    settings = settings_of(kind, guided=True, attribution=AttributionParameters(blocks=(1,), steps=(1,)))
    [image] = Generator(pipeline, settings).generate(CAPTIONS[1:2], MENTIONED[1:2])
    plain = generate_plainly(pipeline, kind, CAPTIONS[1:2], settings.guidance_scale, STEPS)
    for noun, attribution in zip(image.nouns, image.attributions, strict=True):
        expected = restate(
            pipeline, kind, plain, image.caption, image=0, word=noun.text, guided=True, blocks=(1,), steps=(1,)
        )
        np.testing.assert_allclose(attribution, expected, atol=1e-4 * min(1.0, expected.max() * 20))


def test_scores_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for maker in ("pixart", "krea2"):
        kind = next(kind for kind in KINDS if kind.maker == maker)
        generator = Generator(tiny_pipeline(maker), settings_of(kind, guided=True))
        [whole] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
        for kernels in ({}, fused.KERNELS):
            with monkeypatch.context() as patch:
                patch.setattr(fused, "KERNELS", kernels)
                patch.setattr("freeda_svc.diffusion.token_attention._BYTES_AT_ONCE", 5_000 if kernels else 50_000)
                [parts] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
            np.testing.assert_allclose(parts.attributions, whole.attributions, atol=1e-6)


def test_what_a_tokenizer_cuts_off_is_reported() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "sana")
    caption = caption_of("a ball " + "near the grass " * 110 + "and a boat on the grass by a ball")
    nouns = [noun_of(caption.text, word) for word in ("ball", "grass", "boat")]
    [image] = Generator(tiny_pipeline("sana"), settings_of(kind, guided=False)).generate([caption], [nouns])
    assert [noun.text for noun in image.nouns] == ["ball", "grass"]
    assert [noun.text for noun in image.cut_off] == ["boat"]


def test_captions_without_nouns_are_generated_all_the_same() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "z_image")
    generator = Generator(tiny_pipeline("z_image"), settings_of(kind, guided=False))
    first, second = generator.generate(CAPTIONS[:2], [[], MENTIONED[1]])
    assert first.attributions.shape == (0, 40, 60)
    assert second.attributions.shape == (4, 40, 60)
    assert second.attributions.max() > 0


@pytest.mark.parametrize("text", ["Ball, the TREE!", "İ ball tree", "ÀÉ ball \N{GRINNING FACE} tree"])
@EVERY_KIND
def test_spans_are_characters_of_the_caption_as_it_is_written(kind: Kind, text: str) -> None:
    pipeline = tiny_pipeline(kind.maker)
    caption = caption_of(text)
    nouns = [Noun(word, (noun_of(caption.text.lower().replace("i̇", "i"), word).spans[0],)) for word in ("ball", "tree")]
    family = find_family(pipeline)
    assert family is not None
    layout = family.layout(pipeline, caption.text)
    found = find_columns(layout, nouns)
    assert found.nouns == tuple(nouns)
    for noun, columns in zip(nouns, found.columns, strict=True):
        for block in layout.blocks:
            [(first, last)] = noun.spans
            spans = [
                block.offsets[column - block.first]
                for column in columns
                if 0 <= column - block.first < len(block.offsets)
            ]
            assert min(start for start, _ in spans) in {block.places[first], block.places[first] - 1}
            assert max(end for _, end in spans) == block.places[last]


@EVERY_KIND
def test_the_transformer_is_as_it_was_afterwards(kind: Kind) -> None:
    pipeline = tiny_pipeline(kind.maker)
    modules = list(pipeline.transformer.modules())
    processors = [getattr(module, "processor", None) for module in modules]
    generator = Generator(pipeline, settings_of(kind, guided=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.vae, "decode", None)
        with pytest.raises(TypeError):
            generator.generate(CAPTIONS[:1], MENTIONED[:1])
    assert [getattr(module, "processor", None) for module in modules] == processors
    assert not any(module._forward_hooks for module in modules)  # noqa: SLF001 - torch's
    assert not any(module._forward_pre_hooks for module in modules)  # noqa: SLF001 - torch's


def test_attention_that_is_computed_otherwise_is_refused() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "flux")
    pipeline = tiny_pipeline("flux")
    layer = pipeline.transformer.transformer_blocks[1].attn

    class OtherProcessor(type(layer.processor)):
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "processor", OtherProcessor())
        with pytest.raises(InputError, match="computed by OtherProcessor, which cannot be observed"):
            Generator(pipeline, settings_of(kind, guided=False))
    generator = Generator(pipeline, settings_of(kind, guided=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "diffusers.models.transformers.transformer_flux.dispatch_attention_fn", lambda query, *_, **__: query
        )
        with pytest.raises(InputError, match="FluxAttention calls torch's fused attention 0 times instead of once"):
            generator.generate(CAPTIONS[:1], MENTIONED[:1])


def test_a_subclass_of_a_known_pipeline_is_refused() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "flux")
    pipeline = tiny_pipeline("flux")
    other = type("OwnPipeline", (type(pipeline),), {})(**pipeline.components)
    with pytest.raises(InputError, match="is a OwnPipeline with a FluxTransformer2DModel, where nouns cannot be"):
        Generator(other, settings_of(kind, guided=False))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"blocks": (1, 4)}, "counts blocks 1, 4, but the generator has 4, numbered from 0"),
        ({"steps": (2,)}, "counts steps 2, but the generator has 2, numbered from 0"),
    ],
)
def test_blocks_and_steps_that_are_not_there_are_refused(chosen: dict[str, tuple[int, ...]], message: str) -> None:
    kind = next(kind for kind in KINDS if kind.maker == "flux")
    with pytest.raises(InputError, match=message):
        Generator(tiny_pipeline("flux"), settings_of(kind, guided=False, attribution=AttributionParameters(**chosen)))


def test_a_template_that_changes_the_caption_is_refused() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "z_image")
    pipeline = tiny_pipeline("z_image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.tokenizer, "chat_template", "{{ messages[0].content | upper }}")
        with pytest.raises(InputError, match="template changes the caption 'a ball on the grass next to a ball'"):
            Generator(pipeline, settings_of(kind, guided=False)).generate(CAPTIONS[:1], MENTIONED[:1])


def test_a_tokenizer_without_offsets_is_refused() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "pixart")
    pipeline = tiny_pipeline("pixart")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(pipeline.tokenizer), "is_fast", False)
        with pytest.raises(InputError, match="gives no character ranges"):
            Generator(pipeline, settings_of(kind, guided=False)).generate(CAPTIONS[:1], MENTIONED[:1])


@EVERY_KIND
def test_a_generator_can_be_tried_out(kind: Kind) -> None:
    images = Generator(tiny_pipeline(kind.maker), settings_of(kind, guided=True)).try_out()
    assert np.isfinite(images).all()
    assert images.shape[0] == 1


def test_a_size_that_the_pipeline_would_change_is_refused() -> None:
    settings = Settings(steps=1, guidance_scale=1.0, height=48, width=64)
    with pytest.raises(InputError, match="HiDream-I1 draws 44 x 32 pixels where 64 x 48 are asked for"):
        Generator(tiny_pipeline("hidream"), settings)
