"""Real layouts in small: what the published checkpoints look like, and what is refused about them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from freeda_svc.captions.caption import Noun, make_caption
from freeda_svc.errors import InputError
from freeda_svc.packs import load_pack
from freeda_svc.parameters import Source

CHECKPOINTS = {
    "backbone": "backbone/model.safetensors",
    "image_text": "image_text/open_clip_model.safetensors",
    "unet": "generator/unet/diffusion_pytorch_model.safetensors",
    "vae": "generator/vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "generator/text_encoder/model.safetensors",
}


def openai_like(folder: Path, *, quick_gelu: bool = True, written: bool | None = None) -> open_clip.CLIP:
    """Put a small model in the layout of OpenAI's weights: open_clip's own words, no tokenizer beside."""
    shutil.rmtree(folder)
    folder.mkdir()
    settings = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = open_clip.CLIP(**settings, quick_gelu=quick_gelu).eval()
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    said = quick_gelu if written is None else written
    content = {
        "model_cfg": {**settings, "quick_gelu": said},
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
    return model


def test_openais_layout_loads_with_open_clips_own_words(pack_folder: Path, sign: Callable[..., None]) -> None:
    model = openai_like(pack_folder / "image_text")
    sign(Source(description="CLIP", licence="MIT", origin="hub", repository="someone/clip.openai"))
    found = load_pack(str(pack_folder)).image_text
    texts = ["a photo of a traffic light", "two dogs"]
    with torch.no_grad():
        expected = model.encode_text(open_clip.SimpleTokenizer()(texts))
    assert torch.allclose(found.embed_texts(texts), expected, atol=1e-5)
    photos = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.48, 0.46, 0.41), (0.27, 0.26, 0.28)))
    with torch.no_grad():
        assert torch.allclose(found.embed_images(photos), model.encode_image((photos - mean) / std), atol=1e-5)


@pytest.mark.parametrize(
    "source",
    [
        Source(description="CLIP", licence="MIT", origin="hub", repository="timm/vit_base_patch16_clip_224.openai"),
        Source(description="CLIP", licence="MIT", origin="OpenAI"),
        Source(description="CLIP", licence="MIT", origin="hub", activation="quick_gelu"),
    ],
)
def test_openais_weights_with_the_wrong_activation_are_refused(
    pack_folder: Path, sign: Callable[..., None], source: Source
) -> None:
    openai_like(pack_folder / "image_text", written=False)
    sign(source)
    with pytest.raises(
        InputError, match="computes with gelu, but these weights were trained with quick_gelu"
    ) as caught:
        _ = load_pack(str(pack_folder)).image_text
    assert "\n" not in str(caught.value)


def test_weights_of_the_exact_activation_are_refused_with_the_quick_one(
    pack_folder: Path, sign: Callable[..., None]
) -> None:
    openai_like(pack_folder / "image_text")
    sign(Source(description="CLIP", licence="MIT", origin="hub", activation="gelu"))
    with pytest.raises(InputError, match="computes with quick_gelu, but these weights were trained with gelu"):
        _ = load_pack(str(pack_folder)).image_text


@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2_is_read_with_and_without_register_tokens(
    pack_folder: Path, sign: Callable[..., None], registers: int
) -> None:
    shutil.rmtree(pack_folder / "backbone")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 70, "patch_size": 8}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        if registers:
            settings = Dinov2WithRegistersConfig(**sizes, num_register_tokens=registers)
            model = Dinov2WithRegistersModel(settings).eval()
        else:
            model = Dinov2Model(Dinov2Config(**sizes)).eval()
    model.save_pretrained(pack_folder / "backbone")
    sign()
    backbone = load_pack(str(pack_folder)).backbone
    photos = torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        tokens = model(pixel_values=(photos - mean) / std).last_hidden_state[:, 1 + registers :]
    assert tokens.shape[1] == 64
    expected = tokens.transpose(1, 2).reshape(1, 32, 8, 8)
    assert torch.allclose(backbone.features(photos), expected, atol=1e-5)


def change(file: Path, edit: Callable[[dict[str, torch.Tensor], str], None]) -> str:
    """Change a checkpoint at one of its tensors and return that one's name."""
    weights = load_file(file)
    name = min(name for name, value in weights.items() if value.ndim > 1)
    edit(weights, name)
    save_file(weights, file, metadata={"format": "pt"})
    return name


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize("fault", ["missing", "extra", "misshapen"])
def test_a_checkpoint_with_other_tensors_is_refused(
    pack_folder: Path, sign: Callable[..., None], checkpoint: str, fault: str
) -> None:
    def edit(weights: dict[str, torch.Tensor], name: str) -> None:
        if fault == "missing":
            del weights[name]
        elif fault == "extra":
            weights["another.weight"] = torch.ones(2)
        else:
            weights[name] = torch.cat([weights[name], weights[name]], dim=-1)

    file = pack_folder / CHECKPOINTS[checkpoint]
    change(file, edit)
    sign()
    part = CHECKPOINTS[checkpoint].partition("/")[0]
    with pytest.raises(InputError, match=str(pack_folder / part)) as caught:
        getattr(load_pack(str(pack_folder)), part)
    assert "\n" not in str(caught.value)
    if fault == "extra":
        assert "another.weight" in str(caught.value)


def test_positions_of_another_number_are_not_interpolated(pack_folder: Path, sign: Callable[..., None]) -> None:
    def edit(weights: dict[str, torch.Tensor], _: str) -> None:
        weights["positional_embedding"] = weights["positional_embedding"][:20].contiguous()

    change(pack_folder / CHECKPOINTS["image_text"], edit)
    sign()
    with pytest.raises(InputError, match=r"tensor positional_embedding in the shape \[20, 64\], not \[32, 64\]"):
        _ = load_pack(str(pack_folder)).image_text


@pytest.mark.parametrize("part", ["backbone", "image_text", "unet"])
def test_a_checkpoint_that_ends_too_early_is_refused(pack_folder: Path, sign: Callable[..., None], part: str) -> None:
    file = pack_folder / CHECKPOINTS[part]
    file.write_bytes(file.read_bytes()[:5000])
    sign()
    name = CHECKPOINTS[part].partition("/")[0]
    with pytest.raises(InputError, match=str(pack_folder / name)) as caught:
        getattr(load_pack(str(pack_folder)), name)
    assert "\n" not in str(caught.value)


def test_positions_that_old_checkpoints_carry_are_no_fault(pack_folder: Path, sign: Callable[..., None]) -> None:
    def edit(weights: dict[str, torch.Tensor], _: str) -> None:
        weights["text_model.embeddings.position_ids"] = torch.arange(32)[None]

    change(pack_folder / CHECKPOINTS["text_encoder"], edit)
    sign()
    assert load_pack(str(pack_folder)).generator.parameters.steps == 2


def test_a_tokenizer_of_words_and_merges_alone_is_read(
    tiny_pack_folder: Path, pack_folder: Path, sign: Callable[..., None]
) -> None:
    folder = pack_folder / "generator" / "tokenizer"
    content = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in content["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    sign()
    caption = make_caption("A red ball on the grass.")
    assert caption is not None
    images = [
        load_pack(str(place)).generator.generate([caption], [[Noun("ball", ((6, 10),))]])[0]
        for place in (tiny_pack_folder, pack_folder)
    ]
    assert (images[0].pixels == images[1].pixels).all()
    assert [noun.text for noun in images[1].nouns] == ["ball"]


def test_a_tokenizer_without_its_words_is_refused(pack_folder: Path, sign: Callable[..., None]) -> None:
    (pack_folder / "generator" / "tokenizer" / "tokenizer.json").unlink()
    sign()
    with pytest.raises(InputError, match=r"the tokenizer in .*generator/tokenizer knows no words: its tokenizer\.json"):
        _ = load_pack(str(pack_folder)).generator


def test_the_whole_pack_computes_in_bfloat16(tiny_pack_folder: Path) -> None:
    whole, half = (load_pack(str(tiny_pack_folder), precision=precision) for precision in ("auto", "bfloat16"))
    assert whole.fingerprint == half.fingerprint
    photos = torch.rand(1, 3, 64, 64)
    for first, second in (
        (whole.backbone.features(photos), half.backbone.features(photos)),
        (whole.image_text.embed_images(photos), half.image_text.embed_images(photos)),
        (whole.image_text.embed_nouns(["ball"]), half.image_text.embed_nouns(["ball"])),
    ):
        assert second.dtype == torch.float32
        assert not torch.equal(first, second)
        assert functional.cosine_similarity(first.flatten(), second.flatten(), dim=0) > 0.995
    caption = make_caption("A red ball on the grass.")
    assert caption is not None
    image = half.generator.generate([caption], [[Noun("ball", ((6, 10),))]])[0]
    assert image.attributions.dtype == "float32"
    assert image.attributions.max() > 0


@pytest.mark.parametrize("precision", ["float8", "", "half"])
def test_an_unknown_precision_is_refused(tiny_pack_folder: Path, precision: str) -> None:
    with pytest.raises(InputError, match=r"^precision is '.*', but must be one of auto, float32, bfloat16, float16$"):
        load_pack(str(tiny_pack_folder), precision=precision)


@pytest.mark.parametrize(
    ("cuda", "bfloat16", "mps", "device", "generator"),
    [
        (True, True, False, "cuda", "bfloat16"),
        (True, False, False, "cuda", "float16"),
        (False, False, True, "mps", "float16"),
        (False, False, False, "cpu", "float32"),
    ],
)
def test_device_and_precision_follow_from_what_is_there(
    monkeypatch: pytest.MonkeyPatch, *, cuda: bool, bfloat16: bool, mps: bool, device: str, generator: str
) -> None:
    from freeda_svc.packs import precision  # noqa: PLC0415

    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    monkeypatch.setattr(precision, "check_device", lambda *_: None)
    chosen = precision.choose_computing("auto", "auto")
    assert (chosen.device, chosen.generator, chosen.encoders) == (device, generator, "float32")
    named = precision.choose_computing("auto", "float16")
    assert (named.device, named.generator, named.encoders) == (device, "float16", "float16")
