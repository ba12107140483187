"""A pack with a mask generator: read from the folder that transformers writes, and refused where it does not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.packs import load_pack, read_pack_parameters, write_pack_manifest
from freeda_svc.packs.mask_model import read_mask_generator
from freeda_svc.packs.precision import choose_computing
from freeda_svc.parameters import RegionParameters, Source
from freeda_svc.segmentation import Segmenter
from tests.encoders.tiny_sam import sam2, sam3
from tests.segmentation.toy_bank import NOUNS, fill_bank

SOURCE = Source(description="SAM at random", licence="Apache-2.0", origin="made by a test", commercial_use="free")
ANY = {"points_per_side": 5, "iou_threshold": 0.0, "stability_threshold": 0.0, "duplicate_threshold": 1.0}


@pytest.fixture
def folder(pack_folder: Path) -> Path:
    """A pack whose regions are the masks of a SAM 2 at random."""
    sam2().save_pretrained(pack_folder / "mask_generator")
    write(pack_folder, way="masks", **ANY)
    return pack_folder


def write(folder: Path, **regions: object) -> None:
    described = read_pack_parameters(str(folder))
    segmentation = described.parameters.segmentation
    parameters = described.parameters.replace(segmentation=segmentation.replace(regions=RegionParameters(**regions)))
    write_pack_manifest(
        folder,
        name=described.name,
        version=described.version,
        description=described.description,
        parameters=parameters,
        sources={**described.sources, "mask_generator": SOURCE},
    )


def test_regions_are_the_masks_of_the_packs_generator(folder: Path, tmp_path: Path) -> None:
    pack = load_pack(str(folder))
    pack.try_out()
    image = paint_scene((7, 1), CROWDED).image
    with fill_bank(pack, tmp_path / "bank") as store:
        assert isinstance(store, PrototypeStore)
        found = Segmenter(pack, store).segment(image, NOUNS)
        usual = Segmenter(pack, store).segment(
            image, NOUNS, found.parameters.replace(regions=RegionParameters(way="superpixels"))
        )
    masks = pack.masks.regions(image, image.shape[:2], found.parameters.regions)
    assert np.array_equal(found.given_regions, masks)
    assert masks.max() > 0
    assert usual.given_regions is None
    assert "regions" in found.timings


def test_prototypes_do_not_depend_on_the_mask_generator(folder: Path, tiny_pack_folder: Path) -> None:
    without, having = read_pack_parameters(str(tiny_pack_folder)), read_pack_parameters(str(folder))
    assert having.fingerprint == without.fingerprint
    assert having.encoders_fingerprint == without.encoders_fingerprint
    assert (bool(having.masks_fingerprint), without.masks_fingerprint) == (True, "")
    assert set(having.sources) == {*without.sources, "mask_generator"}


@pytest.mark.parametrize("make", [sam2, sam3])
@pytest.mark.parametrize("kind", ["image", "video"])
def test_published_folders_of_the_video_models_are_read(make: object, kind: str, tmp_path: Path) -> None:
    model = make()  # type: ignore[operator]
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    if kind == "video":
        if make is sam2:
            config["model_type"] = "sam2_video"
        else:
            config = {"model_type": "sam3_video", "tracker_config": config}
        path.write_text(json.dumps(config))
    (tmp_path / "model" / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3]}')
    generator = read_mask_generator(tmp_path / "model", choose_computing("cpu", "float32"))
    assert generator.size == 64
    assert generator._mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])  # noqa: SLF001
    assert generator._std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225] if make is sam2 else [0.5] * 3)  # noqa: SLF001


def test_another_model_a_cut_checkpoint_and_a_changed_file_are_refused(folder: Path, tmp_path: Path) -> None:
    computing = choose_computing("cpu", "float32")
    with pytest.raises(InputError, match=r"holds a dinov2, but a mask generator must be one of sam2, sam2_video"):
        read_mask_generator(folder / "backbone", computing)
    other = tmp_path / "other"
    shutil.copytree(folder / "mask_generator", other)
    config = json.loads((other / "config.json").read_text())
    config["mask_decoder_config"]["num_hidden_layers"] = 2
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"lacks the tensor mask_decoder\.transformer\.layers\.1"):
        read_mask_generator(other, computing)
    (folder / "mask_generator" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"mask_generator/config\.json has another sha256 than listed"):
        _ = load_pack(str(folder)).masks


def test_a_pack_of_masks_without_a_generator_is_refused(folder: Path) -> None:
    manifest = folder / "pack.toml"
    text = manifest.read_text()
    start = text.index("[sources.mask_generator]")
    without = text[:start] + text[text.index("[files]") :]
    lines = [line for line in without.splitlines() if not line.startswith('"mask_generator/')]
    manifest.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"way is 'masks', but the pack has no mask_generator; name one in sources"):
        read_pack_parameters(str(folder))
    manifest.write_text(without)
    with pytest.raises(InputError, match=r"way is 'masks', but|lists no table sources\.mask_generator"):
        read_pack_parameters(str(folder))
    manifest.write_text("\n".join(line for line in text.splitlines() if not line.startswith('"mask_generator/')))
    with pytest.raises(InputError, match=r"lists no file of mask_generator/"):
        read_pack_parameters(str(folder))
