import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as reference

from freeda_svc.errors import InputError
from freeda_svc.images import coco_mask
from freeda_svc.outputs.coco import CategoryMask, coco_categories, coco_masks, coco_result, piece_mask
from freeda_svc.outputs.pieces import Piece, find_pieces
from freeda_svc.parameters import PieceParameters

# pycocotools' own binding makes arrays as it was done before NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3))


def rle_of(mask: np.ndarray) -> dict[str, object]:
    encoded = reference.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


@settings(derandomize=True, deadline=None, max_examples=200)
@given(LABELS)
def test_masks_of_categories_are_those_that_pycocotools_encodes(labels: np.ndarray) -> None:
    made = {mask.category: mask for mask in coco_masks(labels)}
    assert sorted(made) == sorted(set(np.unique(labels).tolist()) - {-1})
    for category, mask in made.items():
        expected = labels == category
        rows, columns = expected.any(axis=1).nonzero()[0], expected.any(axis=0).nonzero()[0]
        box = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        assert mask == CategoryMask(category, rle_of(expected), expected.sum(), box)
        assert np.array_equal(reference.decode(mask.segmentation), expected)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_masks_of_pieces_are_those_that_pycocotools_encodes(labels: np.ndarray) -> None:
    for piece in find_pieces(labels, PieceParameters(fill_holes=True)):
        expected = np.zeros(labels.shape, dtype=bool)
        expected[piece.box] = piece.inside
        mask = piece_mask(piece, labels.shape)
        assert np.array_equal(reference.decode(mask.segmentation), expected)
        height, width = piece.inside.shape
        assert mask == CategoryMask(
            piece.category, rle_of(expected), piece.area, (piece.left, piece.top, width, height)
        )


def test_an_image_too_large_for_cocos_masks_is_refused() -> None:
    piece = Piece(0, 0, 0, np.ones((1, 1), dtype=bool))
    with pytest.raises(InputError, match="an image has 536,870,912 pixels, COCO's masks at most 536,870,911"):
        piece_mask(piece, (1, 1 << 29))


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
