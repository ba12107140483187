import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.packs import PackDescription, load_pack, read_pack_parameters, write_pack_manifest
from freeda_svc.packs.description import PROTOTYPE_RECIPE
from freeda_svc.parameters import AttributionParameters, RefinementParameters, Source, UnknownParameters


def edit(folder: Path, old: str, new: str) -> None:
    manifest = folder / "pack.toml"
    text = manifest.read_text(encoding="utf-8")
    assert text.count(old) == 1
    manifest.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_written_is_read(tiny_pack_folder: Path) -> None:
    description = read_pack_parameters(str(tiny_pack_folder))
    assert (description.name, description.version) == ("tiny", "1")
    assert description.parameters.generation.steps == 2
    assert description.parameters.segmentation.superpixels.algorithm == "felzenszwalb"
    assert description.sources["backbone"].licence == "Apache-2.0"
    assert "backbone/model.safetensors" in description.files


def test_all_numbers_are_written_and_read(pack_folder: Path) -> None:
    description = read_pack_parameters(str(pack_folder))
    segmentation = description.parameters.segmentation.replace(
        window_way="whole",
        local_similarity="cosine",
        aggregation="max_similarity",
        synonyms="mean",
        appearance_weight=0.25,
        appearance_k=7,
        unknown=UnknownParameters(way="local_after", threshold=0.25),
        refinement=RefinementParameters(way="pamr", iterations=3, dilations=(1, 5)),
        superpixels=description.parameters.segmentation.superpixels.replace(algorithm="seeds", seeds_levels=4),
    )
    parameters = description.parameters.replace(segmentation=segmentation)
    words = {"name": "tiny", "version": "1", "description": "x", "sources": description.sources}
    write_pack_manifest(pack_folder, parameters=parameters, **words)
    again = read_pack_parameters(str(pack_folder))
    assert again.parameters == parameters
    assert again.fingerprint == description.fingerprint  # how images are segmented changes no prototype


def test_a_pack_that_says_nothing_of_attribution_has_the_fingerprint_from_before(tiny_pack_folder: Path) -> None:
    description = read_pack_parameters(str(tiny_pack_folder))
    numbers = description.parameters.model_dump()
    del numbers["segmentation"], numbers["generation"]["batch_size"], numbers["generation"]["attribution"]
    content = json.dumps([PROTOTYPE_RECIPE, sorted(description.files.items()), numbers], sort_keys=True)
    assert description.fingerprint == hashlib.sha256(content.encode()).hexdigest()[:16]


def test_blocks_and_steps_are_numbered_from_0(tiny_pack_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_pack_folder / "pack.toml", tmp_path)
    edit(tmp_path, "blocks = []", "blocks = [0, 9]")
    found = read_pack_parameters(str(tmp_path)).parameters.generation.attribution
    assert found == AttributionParameters(blocks=(0, 9))


def test_a_pack_from_before_an_option_has_its_default(tiny_pack_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_pack_folder / "pack.toml", tmp_path)
    lines = (tmp_path / "pack.toml").read_text(encoding="utf-8").split("\n")
    newer = {
        "window_way", "local_similarity", "aggregation", "synonyms", "exemplar_share", "origins", "region_size",
        "slic_compactness", "watershed_compactness", "seeds_levels", "seeds_prior", "seeds_bins", "seeds_iterations",
        "quickshift_ratio", "quickshift_kernel_size", "quickshift_max_distance", "way", "threshold", "iterations",
        "local_threshold", "dilations", "appearance_weight", "appearance_k", "[parameters.segmentation.unknown]",
        "[parameters.segmentation.refinement]", "points_per_side", "iou_threshold", "stability_threshold",
        "duplicate_threshold", "least_area", "overlaps", "[parameters.segmentation.regions]",
    }  # fmt: skip
    older = [line for line in lines if line.partition(" =")[0] not in newer]
    assert len(lines) - len(older) == len(newer) + 2  # there are three ways
    (tmp_path / "pack.toml").write_text("\n".join(older), encoding="utf-8")
    assert read_pack_parameters(str(tmp_path)).parameters == read_pack_parameters(str(tiny_pack_folder)).parameters


def test_odd_texts_survive_the_manifest(pack_folder: Path) -> None:
    description = read_pack_parameters(str(pack_folder))
    sources = {
        **description.sources,
        "generator": Source(description='a "quoted" \\ thing', licence="é", origin="line\nbreak = [x]"),
    }
    write_pack_manifest(
        pack_folder,
        name="ti'ny",
        version="2",
        description="# none",
        parameters=description.parameters,
        sources=sources,
    )
    again = read_pack_parameters(str(pack_folder))
    assert (again.name, again.description, dict(again.sources)) == ("ti'ny", "# none", sources)
    assert again.fingerprint == description.fingerprint


def test_a_manifest_needs_all_parts(tiny_pack_folder: Path, tmp_path: Path) -> None:
    description = read_pack_parameters(str(tiny_pack_folder))
    words = {"name": "x", "version": "1", "description": "x", "parameters": description.parameters}
    with pytest.raises(InputError, match="generator has no files"):
        write_pack_manifest(tmp_path, sources=description.sources, **words)
    with pytest.raises(InputError, match="sources describe generator, backbone, image_text, not nothing"):
        write_pack_manifest(tiny_pack_folder, sources={}, **words)
    assert not list(tmp_path.iterdir())


def test_models_of_a_pack_work(tiny_pack_folder: Path) -> None:
    pack = load_pack(str(tiny_pack_folder))
    photos = torch.rand(1, 3, 64, 64)
    assert pack.backbone.features(photos).shape == (1, pack.backbone.dimension, 16, 16)
    assert pack.image_text.embed_images(photos).shape == (1, pack.image_text.dimension)
    assert pack.image_text.embed_nouns(["ball"]).isfinite().all()
    assert pack.generator.parameters == pack.parameters.generation
    assert pack.generator is pack.generator


def test_weights_are_those_of_the_files(tiny_pack_folder: Path, pack_folder: Path) -> None:
    photos = torch.rand(1, 3, 64, 64)
    first = load_pack(str(tiny_pack_folder))
    for part, name in (("backbone", "model"), ("image_text", "open_clip_model")):
        file = pack_folder / part / f"{name}.safetensors"
        save_file({key: value * 1.5 for key, value in load_file(file).items()}, file, metadata={"format": "pt"})
    description = first.description
    words = {"name": "x", "version": "1", "description": "x", "parameters": description.parameters}
    write_pack_manifest(pack_folder, sources=description.sources, **words)
    other = load_pack(str(pack_folder))
    assert not torch.allclose(first.backbone.features(photos), other.backbone.features(photos), atol=1e-3)
    assert not torch.allclose(first.image_text.embed_images(photos), other.image_text.embed_images(photos), atol=1e-3)
    assert first.fingerprint != other.fingerprint


def test_segmentation_does_not_pay_for_the_generator(pack_folder: Path) -> None:
    shutil.rmtree(pack_folder / "generator")
    pack = load_pack(str(pack_folder))
    assert pack.backbone.dimension == 96
    assert pack.image_text.dimension == 64
    with pytest.raises(InputError, match=r"pack tiny: the file generator/.* is missing"):
        _ = pack.generator


def test_a_changed_file_is_refused_by_name(pack_folder: Path) -> None:
    weights = pack_folder / "backbone" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"^pack tiny: the file backbone/model\.safetensors has another sha256.*$"):
        _ = load_pack(str(pack_folder)).backbone


def test_a_file_that_is_not_listed_is_refused(pack_folder: Path) -> None:
    (pack_folder / "image_text" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"^pack tiny: the file image_text/pytorch_model\.bin is not listed.*$"):
        _ = load_pack(str(pack_folder)).image_text


@pytest.mark.parametrize(
    ("part", "weights"),
    [
        ("backbone", "model.safetensors"),
        ("image_text", "open_clip_model.safetensors"),
        ("generator", "unet/*.safetensors"),
    ],
)
def test_pickled_weights_are_never_read(pack_folder: Path, part: str, weights: str) -> None:
    description = read_pack_parameters(str(pack_folder))
    for file in (pack_folder / part).glob(weights):
        torch.save({}, file.with_suffix(".bin"))
        torch.save({}, file.with_name("pytorch_model.bin"))
        file.unlink()
    words = {"name": "tiny", "version": "1", "description": "x", "parameters": description.parameters}
    write_pack_manifest(pack_folder, sources=description.sources, **words)
    with pytest.raises(InputError, match=part) as caught:
        getattr(load_pack(str(pack_folder)), part)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("generator/model_index.json", "StableDiffusionPipeline", "FluxFillPipeline", "holds a FluxFillPipeline"),
        ("backbone/config.json", '"dinov2"', '"vit"', "holds a vit"),
        ("backbone/config.json", '"dinov2"', '"dinov3_convnext"', "holds a dinov3_convnext, but a backbone must be"),
        ("backbone/config.json", '"dinov2"', "[]", r"holds a \[\], but a backbone must be one of dinov2, "),
        ("backbone/config.json", "{", "", "config.json cannot be read as JSON"),
        ("image_text/open_clip_config.json", "embed_dim", "embed_dims", "image_text cannot be loaded"),
    ],
)
def test_models_of_another_kind_are_refused(pack_folder: Path, file: str, old: str, new: str, message: str) -> None:
    description = read_pack_parameters(str(pack_folder))
    path = pack_folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    words = {"name": "tiny", "version": "1", "description": "x", "parameters": description.parameters}
    write_pack_manifest(pack_folder, sources=description.sources, **words)
    with pytest.raises(InputError, match=message) as caught:
        getattr(load_pack(str(pack_folder)), file.partition("/")[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gamma = 0.45", "", r"parameters\.prototypes\.gamma is missing: give a number from 0 to 1$"),
        (
            "gamma = 0.45",
            'gamma = "0.45"',
            r"parameters\.prototypes\.gamma is '0\.45', but must be a number from 0 to 1$",
        ),
        ("gamma = 0.45", "gamma = 1.5", r"parameters\.prototypes\.gamma is 1\.5, but must be a number from 0 to 1$"),
        ("gamma = 0.45", "gamma = nan", r"gamma is nan, but must be a number from 0 to 1$"),
        (
            "gamma = 0.45",
            "gamma = 0.45\ndelta = 1",
            r"there is no parameter 'parameters\.prototypes\.delta'; known are gamma, alpha$",
        ),
        ("steps = 2", "steps = 2.0", r"generation\.steps is 2\.0, but must be a whole number of at least 1$"),
        ("steps = 2", "steps = true", r"generation\.steps is True, but must be a whole number of at least 1$"),
        ("steps = 2", "steps = 0", r"generation\.steps is 0, but must be a whole number of at least 1$"),
        ('"felzenszwalb"', '"snic"', r"algorithm is 'snic', but must be one of felzenszwalb, slic, .*, none$"),
        ("blocks = []", "blocks = [0, -1]", r"blocks holds -1, but must be a list of whole numbers of at"),
        ("blocks = []", "blocks = 9", r"blocks is 9, but must be a list of whole numbers of"),
        ('method = "attention"', 'method = "best"', r"method is 'best', but must be one of attention, concept$"),
        ("[1, 2, 4, 8, 12, 24]", "[1, 2.5]", r"refinement\.dilations holds 2\.5, but must be a list of 1 to 16 whole"),
        (
            "[1, 2, 4, 8, 12, 24]",
            "[1, 0]",
            r"refinement\.dilations holds 0, but must be a list of 1 to 16 whole numbers",
        ),
        ("[1, 2, 4, 8, 12, 24]", "2", r"refinement\.dilations is 2, but must be a list of 1 to 16 whole numbers"),
        ("origins = []", "origins = [1]", r"segmentation\.origins holds 1, but must be a list of some of generated"),
        ("\nthreshold = 0.4", "\nthreshold = true", r"unknown\.threshold is True, but must be a number from -1 to 1$"),
        (
            "[parameters.prototypes]",
            "[parameters.prototype]",
            r"no parameter 'parameters\.prototype'; did you mean prototypes\?$",
        ),
        (
            "[sources.backbone]",
            "[sources.backdoor]",
            r"there is no parameter 'sources\.backdoor'; did you mean backbone\?$",
        ),
        ('name = "tiny"', "name = 1", r"name is 1, but must be a text$"),
        ('name = "tiny"', "name = ", r"not valid TOML"),
        ('"backbone/config.json"', '"backbone/../../secret"', r"must lie in one of the folders"),
        ('"backbone/config.json"', '"/etc/passwd"', r"must lie in one of the folders"),
    ],
)
def test_a_wrong_manifest_is_refused_with_one_line_that_names_file_and_key(
    tiny_pack_folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    shutil.copy(tiny_pack_folder / "pack.toml", tmp_path)
    edit(tmp_path, old, new)
    with pytest.raises(InputError, match=message) as caught:
        read_pack_parameters(str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path / "pack.toml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: numbers.replace(generation=numbers.generation.replace(steps=3)),
        lambda numbers: numbers.replace(prototypes=numbers.prototypes.replace(gamma=0.5)),
        lambda numbers: numbers.replace(prototypes=numbers.prototypes.replace(alpha=0.5)),
        lambda numbers: numbers.replace(backbone_size=128),
        lambda numbers: numbers.replace(image_text_size=128),
        lambda numbers: numbers.replace(
            generation=numbers.generation.replace(attribution=AttributionParameters(blocks=(0,)))
        ),
    ],
)
def test_the_fingerprint_changes_with_what_changes_prototypes(
    tiny_pack_folder: Path, change: Callable[[object], object]
) -> None:
    description = read_pack_parameters(str(tiny_pack_folder))
    other = replace(description, parameters=change(description.parameters))
    assert other.fingerprint != description.fingerprint


def test_the_fingerprint_does_not_change_with_anything_else(tiny_pack_folder: Path) -> None:
    description = read_pack_parameters(str(tiny_pack_folder))
    numbers = description.parameters
    other = replace(
        description,
        name="other",
        parameters=numbers.replace(
            generation=numbers.generation.replace(batch_size=17),
            segmentation=numbers.segmentation.replace(k=350),
        ),
    )
    assert other.fingerprint == description.fingerprint
    assert len(description.fingerprint) == 16


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda pack: replace(pack, name="other", version="2"), True),
        (lambda pack: with_numbers(pack, generation=pack.parameters.generation.replace(steps=3)), True),
        (lambda pack: with_numbers(pack, prototypes=pack.parameters.prototypes.replace(gamma=0.5)), True),
        (lambda pack: with_numbers(pack, segmentation=pack.parameters.segmentation.replace(k=350)), True),
        (lambda pack: with_file(pack, "generator/unet/config.json"), True),
        (lambda pack: with_file(pack, "generator/transformer/config.json"), True),
        (lambda pack: with_file(pack, "backbone/config.json"), False),
        (lambda pack: with_file(pack, "backbone/preprocessor_config.json"), False),
        (lambda pack: with_file(pack, "image_text/tokenizer.json"), False),
        (lambda pack: with_numbers(pack, prototypes=pack.parameters.prototypes.replace(alpha=0.5)), False),
        (lambda pack: with_numbers(pack, backbone_size=128), False),
        (lambda pack: with_numbers(pack, image_text_size=128), False),
    ],
)
def test_packs_with_the_same_encoders_fit_the_same_bank(
    tiny_pack_folder: Path,
    change: Callable[[PackDescription], PackDescription],
    same: bool,
) -> None:
    pack = read_pack_parameters(str(tiny_pack_folder))
    other = change(pack)
    assert (other.encoders_fingerprint == pack.encoders_fingerprint) == same
    assert other.fits(pack.encoders_fingerprint) == same
    assert other.fits(other.encoders_fingerprint)
    assert other.fits(other.fingerprint)  # as banks say that were made before packs could be mixed
    assert not other.fits("0123456789abcdef")
    assert len({pack.fingerprint, pack.encoders_fingerprint}) == 2


def with_numbers(pack: PackDescription, **changed: object) -> PackDescription:
    return replace(pack, parameters=pack.parameters.replace(**changed))


def with_file(pack: PackDescription, path: str) -> PackDescription:
    return replace(pack, files={**pack.files, path: "0" * 64})


def test_a_generator_is_called_by_its_repository_or_its_pack(tiny_pack_folder: Path) -> None:
    pack = read_pack_parameters(str(tiny_pack_folder))
    assert pack.generator == "tiny"
    source = pack.sources["generator"].replace(repository="someone/painter")
    assert replace(pack, sources={**pack.sources, "generator": source}).generator == "someone/painter"


def test_an_unknown_pack_is_reported_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError,
        match=r"there is no pack 'enormous': give the name of a bundled one \(miniature, miniature-wide, free-",
    ):
        load_pack("enormous")
    with pytest.raises(NotFoundError, match="there is no pack"):
        load_pack(str(tmp_path))


def test_an_unknown_device_is_refused(tiny_pack_folder: Path) -> None:
    with pytest.raises(InputError, match="the device 'warp' cannot be used here"):
        load_pack(str(tiny_pack_folder), device="warp")


def test_descriptions_captions_and_records_need_no_model_libraries(tiny_pack_folder: Path) -> None:
    code = (
        "import sys; import freeda_svc.captions, freeda_svc.prototypes; from freeda_svc.packs import load_pack; "
        f"assert load_pack({str(tiny_pack_folder)!r}).fingerprint; "
        "print(sorted({'torch', 'diffusers', 'transformers', 'open_clip', 'spacy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_models_prints_nothing(tiny_pack_folder: Path) -> None:
    code = (
        "from freeda_svc.packs import load_pack; import logging; "
        f"pack = load_pack({str(tiny_pack_folder)!r}); pack.generator, pack.backbone, pack.image_text; "
        "assert not logging.getLogger().handlers"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_pack_may_say_which_nouns_its_models_know(pack_folder: Path) -> None:
    assert read_pack_parameters(str(pack_folder)).nouns is None
    fingerprint = read_pack_parameters(str(pack_folder)).fingerprint
    manifest = pack_folder / "pack.toml"
    text = manifest.read_text()
    manifest.write_text(f'nouns = ["ball", "sky"]\n{text}')
    described = read_pack_parameters(str(pack_folder))
    assert described.nouns == {"ball", "sky"}
    assert described.fingerprint == fingerprint
    manifest.write_text(f'nouns = "ball"\n{text}')
    with pytest.raises(InputError, match="nouns is 'ball', but must be a list of texts, at least 1 of them"):
        read_pack_parameters(str(pack_folder))
