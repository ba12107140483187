"""The files that recipes name, against what the installed libraries write and read."""

import json
import re
from pathlib import Path

import open_clip
import pytest

from freeda_svc.captions.caption import Noun, make_caption
from freeda_svc.packs import read_recipe
from freeda_svc.packs.backbone_model import read_backbone
from freeda_svc.packs.generator_model import read_generator
from freeda_svc.packs.precision import Computing
from freeda_svc.packs.recipes import bundled_recipes
from freeda_svc.parameters import GenerationParameters
from tests.diffusion.tiny_transformers import tiny_pipeline
from tests.encoders.newer_models import dinov3, write_image_text

CPU = Computing(device="cpu", generator="float32", encoders="float32")
TINY = {"black-forest-labs/FLUX.2-klein-4B": "flux2_klein", "Tongyi-MAI/Z-Image-Turbo": "z_image"}
WRITTEN_BY_OLDER = {"added_tokens.json", "merges.txt", "special_tokens_map.json", "vocab.json"}
"""Beside a tokenizer.json, which holds all of it; transformers 5 writes and needs it no more."""


def whole(files: set[str]) -> set[str]:
    """Paths without how large weights are divided, and without what older libraries wrote as well."""
    undivided = {re.sub(r"-\d{5}-of-\d{5}", "", name) for name in files if not name.endswith(".index.json")}
    return {name for name in undivided if Path(name).name not in WRITTEN_BY_OLDER}


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["free-klein", "free-z-image", "klein-dinov3"])
def test_a_generator_is_read_from_the_files_that_its_recipe_names(name: str, tmp_path: Path) -> None:
    source = read_recipe(name).sources["generator"]
    tiny_pipeline(TINY[source.repository]).save_pretrained(tmp_path)
    template = tmp_path / "tokenizer" / "chat_template.jinja"
    if "tokenizer/chat_template.jinja" not in source.files:  # then it is published in the tokenizer's settings
        settings = tmp_path / "tokenizer" / "tokenizer_config.json"
        content = {**json.loads(settings.read_text()), "chat_template": template.read_text()}
        settings.write_text(json.dumps(content))
        template.unlink()
    assert below(tmp_path) == whole(set(source.files))
    parameters = GenerationParameters(steps=2, guidance_scale=0.0, height=64, width=64, batch_size=1)
    generator = read_generator(tmp_path, parameters, CPU)
    caption = make_caption("a dog")
    assert caption is not None
    [image] = generator.generate([caption], [[Noun("dog", ((2, 5),))]])
    assert image.pixels.shape == (64, 64, 3)
    assert [noun.text for noun in image.nouns] == ["dog"]


@pytest.mark.parametrize("name", bundled_recipes())
def test_divided_weights_are_named_whole(name: str) -> None:
    for source in read_recipe(name).sources.values():
        counts: dict[tuple[str, int], set[int]] = {}
        for file in source.files:
            if found := re.fullmatch(r"(.+)-(\d{5})-of-(\d{5})\.safetensors", file):
                counts.setdefault((found[1], int(found[3])), set()).add(int(found[2]))
        for (stem, number), there in counts.items():
            assert there == set(range(1, number + 1))
            assert f"{stem}.safetensors.index.json" in source.files


def test_a_dinov3_is_what_transformers_writes_and_reads(tmp_path: Path) -> None:
    dinov3().save_pretrained(tmp_path)
    assert below(tmp_path) == set(read_recipe("klein-dinov3").sources["backbone"].files)
    assert read_backbone(tmp_path, 64, CPU).grid == 8


@pytest.mark.parametrize(("name", "kind"), [("free-klein", "siglip2"), ("klein-dinov3", "pe_core")])
def test_an_image_text_model_has_the_files_that_its_recipe_names(name: str, kind: str, tmp_path: Path) -> None:
    write_image_text(tmp_path, kind)
    assert below(tmp_path) == set(read_recipe(name).sources["image_text"].files)


@pytest.mark.parametrize(
    ("name", "tag", "published"),
    [("ViT-B-16-SigLIP2-512", "webli", 948), ("ViT-B-16-SigLIP2-384", "webli", 948), ("PE-Core-S-16-384", "meta", 598)],
)
def test_published_settings_are_those_that_open_clip_has_now(name: str, tag: str, published: int) -> None:
    """By their length in bytes, as the hub shows it: that of PE-Core leaves no room for a tokenizer of its own."""
    given = open_clip.get_pretrained_cfg(name, tag)
    preprocessing = {key: given[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    settings = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": preprocessing}
    assert len(json.dumps(settings, indent=2)) == published
