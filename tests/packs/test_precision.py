from pathlib import Path

import pytest
import torch

from freeda_svc.errors import InputError
from freeda_svc.packs import (
    choose_computing,
    describe_computing,
    describe_encoders,
    load_pack,
    processor_rounds_to_bfloat16,
)


def test_openvino_reads_weights_in_float32_and_rounds_them_itself() -> None:
    computing = choose_computing("cpu", "bfloat16", "openvino")
    assert (computing.encoders, computing.weights, computing.runtime) == ("bfloat16", "float32", "openvino")
    assert describe_computing(computing).endswith("generator in bfloat16, encoders in bfloat16 by OpenVINO")
    assert describe_encoders(computing) == {"device": "cpu", "precision": "bfloat16", "runtime": "openvino"}
    assert choose_computing("cpu", "bfloat16").weights == "bfloat16"


@pytest.mark.parametrize(
    ("device", "precision", "runtime", "match"),
    [
        ("cpu", "float32", "onnx", "the runtime of the encoders must be one of torch, openvino, not 'onnx'"),
        ("cpu", "float16", "openvino", "not on cpu in float16: set encoder_runtime to torch"),
    ],
)
def test_runtimes_that_cannot_be_used(device: str, precision: str, runtime: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        choose_computing(device, precision, runtime)


@pytest.mark.parametrize(
    ("flags", "rounds"), [("sse avx512_bf16 fma", True), ("amx_bf16", True), ("avx512f avx512bw", False)]
)
def test_what_a_processor_can_do_is_read_from_linux(tmp_path: Path, flags: str, *, rounds: bool) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"model name : x\nflags : {flags}\n")
    assert processor_rounds_to_bfloat16(facts) is rounds
    assert not processor_rounds_to_bfloat16(tmp_path / "none")


def test_a_pack_by_openvino_gives_the_features_of_torch(tiny_pack_folder: Path) -> None:
    exact, compiled = (load_pack(str(tiny_pack_folder), runtime=runtime) for runtime in ("torch", "openvino"))
    images = torch.rand(3, 3, 48, 64, generator=torch.Generator().manual_seed(3))
    for computed in (lambda pack: pack.backbone.features(images), lambda pack: pack.image_text.embed_images(images)):
        torch.testing.assert_close(computed(compiled), computed(exact), rtol=1e-4, atol=1e-4)
    compiled.try_out()
