import copy
import os
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from transformers import CLIPTokenizer, Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from freeda_svc.encoders import DenseBackbone, ImageTextModel
from freeda_svc.encoders import openvino_runtime as runtime
from freeda_svc.encoders.dense import DenseModel
from freeda_svc.encoders.openvino_runtime import compile_encoder
from freeda_svc.errors import UnavailableError
from freeda_svc.miniature.training import image_text
from freeda_svc.miniature.training.generator import tokenize
from tests.encoders.newer_models import build, dinov3

SHAPE = {"image_size": 32, "patch_size": 4, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
COLOURS = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}


def compile_exactly(model: torch.nn.Module, side: int) -> runtime.Forward:
    return compile_encoder(model, side, precision="float32")


def images(count: int, height: int = 40, width: int = 56) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["dinov2", "with registers", "dinov3"])
def model(request: pytest.FixtureRequest) -> DenseModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if request.param == "dinov2":
            return Dinov2Model(Dinov2Config(**SHAPE)).eval()
        if request.param == "dinov3":
            return dinov3().eval()
        return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SHAPE, num_register_tokens=3)).eval()


def test_features_are_those_of_torch_for_any_number_of_images(model: DenseModel) -> None:
    exact, compiled = DenseBackbone(model, 32), DenseBackbone(model, 32, compiler=compile_exactly)
    for count in (1, 2, 5):
        photos = images(count)
        torch.testing.assert_close(compiled.features(photos), exact.features(photos), rtol=1e-4, atol=1e-4)
    assert compiled.try_out().isfinite().all()


def test_earlier_features_stay_when_others_are_computed(model: DenseModel) -> None:
    compiled = DenseBackbone(model, 32, compiler=compile_exactly)
    first = compiled.features(images(2)[:1])
    kept = first.clone()
    compiled.features(images(2)[1:])
    assert torch.equal(first, kept)


@pytest.mark.parametrize("kind", ["clip", "siglip2", "pe_core"])
def test_only_what_sees_images_is_compiled(kind: str, tiny_tokenizer: CLIPTokenizer) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own = image_text.build(tiny_tokenizer).eval() if kind == "clip" else build(kind).eval()
    side = 64 if kind == "clip" else 32

    def tokenizer(texts: list[str]) -> torch.Tensor:
        if kind == "clip":
            return tokenize(tiny_tokenizer, texts)
        return torch.arange(2, 2 + own.context_length).repeat(len(texts), 1)

    exact = ImageTextModel(own, tokenizer, side, **COLOURS)
    compiled = ImageTextModel(copy.deepcopy(own), tokenizer, side, **COLOURS, compiler=compile_exactly)
    for count in (1, 3):
        torch.testing.assert_close(
            compiled.embed_images(images(count)), exact.embed_images(images(count)), rtol=1e-4, atol=1e-4
        )
    assert torch.equal(compiled.embed_texts(["a ball", "the sky"]), exact.embed_texts(["a ball", "the sky"]))
    assert compiled.dimension == exact.dimension


def test_the_image_encoder_of_torch_is_dropped(tiny_tokenizer: CLIPTokenizer) -> None:
    own: open_clip.CLIP = image_text.build(tiny_tokenizer).eval()
    ImageTextModel(own, lambda texts: tokenize(tiny_tokenizer, texts), 64, **COLOURS, compiler=compile_exactly)
    assert not hasattr(own, "visual")


@pytest.mark.skipif(not runtime.computes_bfloat16(), reason="this processor has no instructions for bfloat16")
def test_bfloat16_rounds_and_stays_near(model: DenseModel) -> None:
    exact = DenseBackbone(model, 32).features(images(2))
    rounded = DenseBackbone(
        model, 32, compiler=lambda model, side: compile_encoder(model, side, precision="bfloat16")
    ).features(images(2))
    assert not torch.equal(rounded, exact)
    assert torch.cosine_similarity(rounded, exact, dim=1).min() > 0.99


def test_a_processor_without_bfloat16_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "computes_bfloat16", lambda core=None: False)
    with pytest.raises(UnavailableError, match=r"no instructions for bfloat16 .*: set precision to float32"):
        compile_encoder(torch.nn.Identity(), 32, precision="bfloat16")


def test_without_openvino_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnavailableError, match=r"pip install 'freeda-svc\[openvino\]'"):
        compile_encoder(torch.nn.Identity(), 32, precision="float32")


def test_its_makers_hear_nothing_of_it(tmp_path: Path) -> None:
    """Left alone it notes a number for this user in the home directory, and sends an event when it is imported."""
    code = (
        "import sys, torch\n"
        "from freeda_svc.encoders.openvino_runtime import compile_encoder\n"
        "forward = compile_encoder(torch.nn.Conv2d(3, 4, 8, 8), 32, precision='float32')\n"
        "assert forward(torch.rand(2, 3, 32, 32)).shape == (2, 4, 4, 4)\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
    assert not list(tmp_path.iterdir())
