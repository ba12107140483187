"""Generators that are transformers are read as their pipelines write them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from freeda_svc.diffusion import Generator
from freeda_svc.errors import InputError
from freeda_svc.packs.generator_model import read_generator
from freeda_svc.packs.precision import Computing
from freeda_svc.parameters import AttributionParameters, GenerationParameters
from tests.diffusion.captions_of_tests import CAPTIONS, MENTIONED
from tests.diffusion.tiny_transformers import tiny_pipeline
from tests.diffusion.transformer_kinds import KINDS

pytestmark = pytest.mark.usefixtures("one_thread")
PLAIN = Computing("cpu", "float32", "float32")


# what HiDream's pipeline makes of a size is not written with it
@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.maker) for kind in KINDS if kind.maker != "hidream"])
def test_a_transformer_is_read_as_it_was_written(tmp_path: Path, kind: object) -> None:
    pipeline = tiny_pipeline(kind.maker)
    pipeline.save_pretrained(tmp_path)
    width = kind.side * 3 // 2
    parameters = GenerationParameters(
        steps=1,
        guidance_scale=3.0,
        height=kind.side,
        width=width,
        batch_size=1,
        attribution=AttributionParameters(blocks=(0, 1)),
    )
    [expected] = Generator(pipeline, parameters).generate(CAPTIONS[1:2], MENTIONED[1:2])
    [found] = read_generator(tmp_path, parameters, PLAIN).generate(CAPTIONS[1:2], MENTIONED[1:2])
    np.testing.assert_allclose(found.attributions, expected.attributions, atol=1e-5)
    assert np.abs(found.pixels.astype(int) - expected.pixels.astype(int)).max() <= 1
    assert found.nouns == expected.nouns


def test_four_text_encoders_are_read(tmp_path: Path) -> None:
    tiny_pipeline("hidream").save_pretrained(tmp_path)
    parameters = GenerationParameters(
        steps=1, guidance_scale=1.0, height=256, width=256, batch_size=1, attribution=AttributionParameters(blocks=(0,))
    )
    [image] = read_generator(tmp_path, parameters, PLAIN).generate(CAPTIONS[:1], MENTIONED[:1])
    assert image.pixels.shape == (256, 256, 3)
    assert image.attributions.max() > 0


def test_stable_diffusion_3_does_without_the_third_text_encoder(tmp_path: Path) -> None:
    tiny_pipeline("sd3").save_pretrained(tmp_path)
    for part in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(tmp_path / part)
    parameters = GenerationParameters(steps=1, guidance_scale=3.0, height=32, width=32, batch_size=1)
    [image] = read_generator(tmp_path, parameters, PLAIN).generate(CAPTIONS[:1], MENTIONED[:1])
    assert len(image.nouns) == 2
    shutil.rmtree(tmp_path / "text_encoder_2")
    with pytest.raises(InputError, match="text_encoder_2"):
        read_generator(tmp_path, parameters, PLAIN)


def test_a_pack_may_ask_for_blocks_that_are_not_there(tmp_path: Path) -> None:
    tiny_pipeline("sd35_without_t5").save_pretrained(tmp_path)
    parameters = GenerationParameters(
        steps=28,
        guidance_scale=3.0,
        height=32,
        width=32,
        batch_size=1,
        attribution=AttributionParameters(blocks=(9,), steps=(8,)),
    )
    with pytest.raises(InputError, match="counts blocks 9, but the generator has 3, numbered from 0"):
        read_generator(tmp_path, parameters, PLAIN)


def test_a_generator_in_half_precision_gives_finite_attributions(tmp_path: Path) -> None:
    tiny_pipeline("sana").save_pretrained(tmp_path)
    parameters = GenerationParameters(steps=1, guidance_scale=3.0, height=64, width=64, batch_size=1)
    generator = read_generator(tmp_path, parameters, Computing("cpu", "bfloat16", "float32"))
    [image] = generator.generate(CAPTIONS[:1], MENTIONED[:1])
    assert np.isfinite(image.attributions).all()
    assert image.attributions.dtype == np.float32
    assert torch.get_default_dtype() == torch.float32
