import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from PIL import Image
from pycocotools import mask as pycocotools_mask

from freeda_svc.errors import InputError
from freeda_svc.images import NO_REGION, load_regions, pack_regions
from freeda_svc.input_files import InputRules

SIZE = (6, 8)
LABELS = np.zeros(SIZE, dtype=np.uint8)
LABELS[1:3, 1:5], LABELS[4:, 2:] = 7, 3
EXPECTED = np.full(SIZE, NO_REGION)
EXPECTED[4:, 2:], EXPECTED[1:3, 1:5] = 0, 1  # in the order of their numbers
MASKS = np.stack([LABELS == 3, LABELS == 7])


def rle(mask: np.ndarray) -> dict[str, object]:
    packed = pycocotools_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(packed["size"]), "counts": packed["counts"].decode()}


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


@pytest.mark.parametrize(
    "source",
    [
        LABELS,
        LABELS.astype(np.int64),
        np.where(LABELS == 0, -5, LABELS.astype(np.int32)),
        torch.from_numpy(LABELS),
        Image.fromarray(LABELS),
        MASKS,
        MASKS.astype(np.uint8),
        torch.from_numpy(MASKS),
        [MASKS[0], Image.fromarray(MASKS[1])],
        [rle(MASKS[0]), {"segmentation": rle(MASKS[1]), "area": 8}],
        {"annotations": [{"segmentation": rle(mask)} for mask in MASKS]},
        [MASKS[0], {"segmentation": [[1, 1, 5, 1, 5, 3, 1, 3]]}],
        pycocotools_mask.encode(np.asfortranarray(MASKS.transpose(1, 2, 0).astype(np.uint8))),
    ],
    ids=[
        "labels",
        "int64",
        "negative",
        "tensor",
        "Pillow",
        "masks",
        "masks of 0 and 1",
        "mask tensor",
        "list of masks",
        "RLE",
        "COCO document",
        "polygon",
        "pycocotools",
    ],
)
def test_regions_are_the_same_however_they_come(source: object) -> None:
    regions = load_regions(source, SIZE)  # type: ignore[arg-type]
    assert regions.dtype == np.int32
    assert np.array_equal(regions, EXPECTED)


def test_files_and_their_bytes_hold_label_maps_and_masks(tmp_path: Path) -> None:
    colours = np.zeros((*SIZE, 3), dtype=np.uint8)
    colours[LABELS == 3], colours[LABELS == 7] = (40, 0, 0), (10, 200, 0)
    indexed = Image.fromarray(LABELS, mode="P")
    indexed.putpalette([255, 255, 255] * 256)
    files = [
        saved(tmp_path / "grey.png", Image.fromarray(LABELS)),
        saved(tmp_path / "deep.png", Image.fromarray(LABELS.astype(np.uint16) * 300)),
        saved(tmp_path / "indexed.png", indexed),
        saved(tmp_path / "labels.tif", Image.fromarray(LABELS)),
        saved(tmp_path / "colours.png", Image.fromarray(colours)),
        tmp_path / "masks.json",
    ]
    files[-1].write_text(json.dumps([rle(mask) for mask in MASKS]))
    for file in files:
        assert np.array_equal(load_regions(file, SIZE), EXPECTED), file.name
        assert np.array_equal(load_regions(file.read_bytes(), SIZE), EXPECTED), file.name


def test_a_turned_label_map_is_that_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(LABELS).save(path, exif=exif)
    assert np.array_equal(load_regions(path, SIZE[::-1]), np.rot90(EXPECTED, 3))


def test_of_overlapping_masks_the_smallest_has_a_pixel_where_that_is_asked_for() -> None:
    large, small = np.zeros(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool)
    large[:, :6], small[2:4, 4:7] = True, True
    for masks, order in (([large, small], (0, 1)), ([small, large], (1, 0))):
        regions = load_regions(masks, SIZE, overlaps="smallest")
        assert (regions[small] == order[1]).all()
        assert (regions[large & ~small] == order[0]).all()
    covered = load_regions([large, large & small, small], SIZE, overlaps="smallest")
    assert sorted(np.unique(covered)) == [-1, 0, 1, 2]
    assert sorted(np.unique(load_regions([small, small], SIZE, overlaps="smallest"))) == [-1, 0]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (LABELS[:, 1:], "the regions are 7 x 6 pixels large, but the image 8 x 6"),
        (MASKS[:, 1:], "mask 1 of the regions is 8 x 5 pixels large, but the image 8 x 6"),
        (np.zeros(SIZE, dtype=int), "the regions have no region: every pixel is 0"),
        ([MASKS[0], MASKS[0]], "masks 1 and 2 overlap in 12 pixels, .* or set region_overlaps=smallest"),
        ([MASKS[0], np.zeros(SIZE, dtype=bool)], "mask 2 of the regions is empty; leave it out"),
        ([{"size": [6, 8], "counts": [48]}], "mask 1 of the regions is empty"),
        ([{"size": [6, 8], "counts": [3, 4]}], "mask 1 .*sum up to 7, expected 6 x 8 pixels"),
        ([{"size": [8, 6], "counts": [0, 48]}], r"mask 1 .*are for the size \[8, 6\], expected \[6, 8\]"),
        ([{"size": [6, 8], "counts": "~~"}], "mask 1 .*no packed number"),
        ([{"area": 3}], "mask 1 .*has no counts and no segmentation"),
        ([], "the regions are an empty list"),
        ([3], "mask 1 of the regions is a int"),
        (["mask.png"], "mask 1 of the regions is a str"),
        ({"annotations": 3}, "not annotations that are a int"),
        (np.zeros(SIZE), "the regions are float64"),
        (np.full((2, *SIZE), 3), "must be masks"),
        (np.zeros((6, 8, 3), dtype=np.uint8), "mask 1 .* 3 x 8 pixels large"),
        (3, "regions are a label map .*, not int"),
        (b"text", "neither a lossless image nor JSON"),
        (b"[1, 2", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        ("missing.png", "no such file of regions: missing.png"),
    ],
)
def test_what_cannot_be_regions_is_refused_in_one_line(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_regions(source, SIZE)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_photographs_and_lossy_files_are_no_label_maps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photograph = Image.fromarray(rng.integers(0, 255, (300, 300, 3), dtype=np.uint8))
    with pytest.raises(InputError, match=r"more than 65,535; is it a label map, or a photograph"):
        load_regions(photograph, (300, 300))
    lossy = saved(tmp_path / "labels.jpg", Image.fromarray(LABELS))
    with pytest.raises(InputError, match=r"lossy|losses|JPEG"):
        load_regions(lossy, SIZE)


def test_files_of_regions_lie_where_the_rules_allow(tmp_path: Path) -> None:
    file = saved(tmp_path / "labels.png", Image.fromarray(LABELS))
    with pytest.raises(InputError):
        load_regions(file, SIZE, rules=InputRules(folders=(tmp_path / "other",)))


@given(
    numpy_strategies.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(
        lambda labels: bool(labels.any())
    )
)
def test_a_packed_map_is_read_as_it_was(labels: np.ndarray) -> None:
    regions = load_regions(labels, labels.shape)
    packed = pack_regions(regions)
    assert np.array_equal(load_regions(packed, labels.shape), regions)
    assert Image.open(io.BytesIO(packed)).format == "PNG"
    for region in range(int(regions.max()) + 1):
        assert len(np.unique(labels[regions == region])) == 1
    assert ((regions == NO_REGION) == (labels == 0)).all()
