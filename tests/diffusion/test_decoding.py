import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline

from freeda_svc.diffusion import Generator, Unusable, is_flat
from tests.diffusion.captions_of_tests import CAPTIONS, MENTIONED
from tests.diffusion.test_generator import Settings

KINDS = pytest.mark.parametrize("kind", ["pipeline", "xl_pipeline"])


def _decoding_otherwise(
    pipeline: DiffusionPipeline, monkeypatch: pytest.MonkeyPatch, values: dict[int, float | None]
) -> None:
    """Let the decoder give some images of the batch as one value; None as NaN in a single place."""
    decode = pipeline.vae.decode

    def spoiling(latents: torch.Tensor, **others: object) -> tuple[torch.Tensor]:
        [images] = decode(latents, **others)
        for image, value in values.items():
            if value is None:
                images[image, 0, 0, 0] = float("nan")
            else:
                images[image] = value
        return (images,)

    monkeypatch.setattr(pipeline.vae, "decode", spoiling)


@KINDS
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), Unusable.NOT_FINITE),
        (None, Unusable.NOT_FINITE),
        (float("inf"), Unusable.NOT_FINITE),  # which the pipeline clamps to white
        (float("-inf"), Unusable.NOT_FINITE),
        (-1.0, Unusable.FLAT),
        (0.25, Unusable.FLAT),
    ],
)
def test_an_image_that_shows_nothing_is_marked_and_the_others_are_as_they_would_be(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    value: float | None,
    reason: Unusable,
) -> None:
    pipeline = request.getfixturevalue(kind)
    generator = Generator(pipeline, Settings(steps=1))
    expected = generator.generate(CAPTIONS[:3], MENTIONED[:3])
    assert [image.unusable for image in expected] == [None] * 3
    _decoding_otherwise(pipeline, monkeypatch, {1: value})
    images = generator.generate(CAPTIONS[:3], MENTIONED[:3])
    assert [image.unusable for image in images] == [None, reason, None]
    for image, as_it_would_be in zip(images[::2], expected[::2], strict=True):
        assert np.array_equal(image.pixels, as_it_would_be.pixels)


def test_latents_that_a_decoder_would_make_good_are_not_finite(
    pipeline: StableDiffusionPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = pipeline.vae.decode
    scheduled = pipeline.scheduler.step

    def bounded(latents: torch.Tensor, **others: object) -> tuple[torch.Tensor]:
        return decode(torch.tanh(latents), **others)  # as small decoders do

    def spoiling(*given: object, **others: object) -> tuple[torch.Tensor, ...]:
        latents, *rest = scheduled(*given, **others)
        latents[1, 0, 0, 0] = float("inf")
        return latents, *rest

    monkeypatch.setattr(pipeline.vae, "decode", bounded)
    monkeypatch.setattr(pipeline.scheduler, "step", spoiling)
    images = Generator(pipeline, Settings(steps=1)).generate(CAPTIONS[:2], MENTIONED[:2])
    assert [image.unusable for image in images] == [None, Unusable.NOT_FINITE]


def test_what_a_safety_checker_holds_back_is_marked(
    pipeline: StableDiffusionPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checking(images: torch.Tensor, *_: object) -> tuple[torch.Tensor, list[bool]]:
        marks = [False, True]
        for index, marked in enumerate(marks):
            if marked:
                images[index] = torch.zeros_like(images[index])  # as diffusers' own checker does
        return images, marks

    monkeypatch.setattr(pipeline, "run_safety_checker", checking)
    images = Generator(pipeline, Settings(steps=1)).generate(CAPTIONS[:2], MENTIONED[:2])
    assert [image.unusable for image in images] == [None, Unusable.HELD_BACK]
    assert not images[1].pixels.any()


def test_the_decoder_is_its_own_afterwards(pipeline: StableDiffusionPipeline) -> None:
    Generator(pipeline, Settings(steps=1)).generate(CAPTIONS[:1], MENTIONED[:1])
    assert "decode" not in vars(pipeline.vae)


def test_one_flat_colour_is_recognised() -> None:
    plain = np.full((8, 8, 3), (10, 200, 90), dtype=np.uint8)
    assert is_flat(plain)
    plain[:, :4] += 1  # between two levels
    assert is_flat(plain)
    plain[0, 0, 1] += 1
    assert not is_flat(plain)
