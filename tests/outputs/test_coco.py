import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as reference

from freeda_svc.images import coco_mask
from freeda_svc.outputs.coco import coco_categories, coco_masks, coco_result, pack_runs, piece_mask
from freeda_svc.outputs.pieces import PieceParameters, find_pieces

# pycocotools' own binding makes arrays as it was done before NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(LABELS)
def test_pycocotools_reads_masks_areas_and_boxes_as_they_are(labels: np.ndarray) -> None:
    made = {mask.category: mask for mask in coco_masks(labels)}
    assert sorted(made) == sorted(set(np.unique(labels).tolist()) - {-1})
    for category, mask in made.items():
        expected = labels == category
        assert np.array_equal(reference.decode(mask.segmentation), expected)
        assert mask.area == reference.area(mask.segmentation) == expected.sum()
        assert list(mask.box) == reference.toBbox(mask.segmentation).tolist()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_pycocotools_reads_masks_of_pieces_as_they_are(labels: np.ndarray) -> None:
    for piece in find_pieces(labels, PieceParameters(fill_holes=True)):
        expected = np.zeros(labels.shape, dtype=bool)
        expected[piece.box] = piece.inside
        mask = piece_mask(piece, labels.shape)
        assert np.array_equal(reference.decode(mask.segmentation), expected)
        assert (mask.category, mask.area) == (piece.category, piece.area)
        assert list(mask.box) == reference.toBbox(mask.segmentation).tolist()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_texts_equal_those_of_pycocotools(labels: np.ndarray) -> None:
    for mask in coco_masks(labels):
        encoded = reference.encode(np.asfortranarray(labels == mask.category, dtype=np.uint8))
        assert mask.segmentation == {"size": encoded["size"], "counts": encoded["counts"].decode()}


@pytest.mark.parametrize(
    "lengths", [[0, 5], [1_000_000, 3, 99_000_000, 1, 2], [0, 1, 2, 3, 100_000_000], [31, 32, 33, 16, 15]]
)
def test_long_runs_are_packed_as_pycocotools_does(lengths: list[int]) -> None:
    size = [sum(lengths), 1]
    expected = reference.frPyObjects({"size": size, "counts": lengths}, *size)
    assert pack_runs(np.array(lengths)) == expected["counts"].decode()


def test_the_reader_of_masks_reads_what_is_written() -> None:
    labels = np.random.default_rng(0).integers(-1, 4, (40, 60)).astype(np.int32)
    for mask in coco_masks(labels):
        assert np.array_equal(coco_mask(mask.segmentation, 40, 60), labels == mask.category)


def test_results_name_categories_from_one_and_give_their_scores() -> None:
    labels = np.array([[2, 2, -1]], dtype=np.int32)
    [mask] = coco_masks(labels)
    assert coco_result(mask, None, image_id=7)["score"] == 0
    result = coco_result(mask, 0.1234567, image_id=7)
    assert (result["image_id"], result["category_id"], result["score"]) == (7, 3, 0.123457)
    assert result["segmentation"] == mask.segmentation
    assert [(entry["id"], entry["mask_value"]) for entry in coco_categories(["a", "b", "c"])] == [
        (1, 0),
        (2, 1),
        (3, 2),
    ]
