from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.images import coco_mask
from freeda_svc.outputs.pieces import as_text, find_pieces, join_pieces
from freeda_svc.outputs.polygons import one_ring, trace_piece
from freeda_svc.outputs.yolo import polygon_line
from freeda_svc.parameters import PieceParameters

LABELS = arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 2))
RING = np.array([[0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, -1], [2, 2, 0, -1]], dtype=np.int32)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_pieces_put_together_are_the_label_map(labels: np.ndarray) -> None:
    painted = np.full(labels.shape, -1)
    for piece in find_pieces(labels, PieceParameters()):
        assert (painted[piece.box][piece.inside] == -1).all()
        painted[piece.box][piece.inside] = piece.category
        assert piece.inside.any(axis=0).all()  # the box is no wider than the piece
    assert np.array_equal(painted, labels)


def test_pieces_come_by_category_and_size() -> None:
    found = [(piece.category, piece.area) for piece in find_pieces(RING, PieceParameters())]
    assert found == [(0, 9), (1, 2), (1, 1), (2, 2)]


def test_small_pieces_are_left_out() -> None:
    found = [(piece.category, piece.area) for piece in find_pieces(RING, PieceParameters(least_area=2))]
    assert found == [(0, 9), (1, 2), (2, 2)]


def test_holes_are_filled_on_request() -> None:
    [first, *_] = find_pieces(RING, PieceParameters(fill_holes=True))
    assert (first.category, first.area) == (0, 10)
    scores = np.where(RING == 0, 0.25, 0.75).astype(np.float32)
    assert first.mean(scores, RING) == 0.25  # what is in a hole does not count


def test_pieces_of_a_category_are_joined() -> None:
    joined = join_pieces(find_pieces(RING, PieceParameters()), RING.shape)
    assert [piece.category for piece in joined] == [0, 1, 2]
    for piece in joined:
        assert np.array_equal(piece.inside, piece.category == RING)


def test_unlabelled_pixels_and_small_pieces_give_no_pieces() -> None:
    assert find_pieces(np.full((3, 3), -1), PieceParameters()) == []
    assert find_pieces(RING, PieceParameters(least_area=100)) == []


def test_it_is_reported_what_was_asked_for() -> None:
    assert (
        as_text(PieceParameters(least_area=5, fill_holes=True)) == "connected pieces of at least 5 pixels, holes filled"
    )
    assert as_text(PieceParameters()) == "connected pieces of at least 1 pixel, holes kept"


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_a_ring_encloses_just_its_piece(labels: np.ndarray) -> None:
    for piece in find_pieces(labels, PieceParameters()):
        ring = one_ring(trace_piece(piece))
        assert ring[0].tolist() == ring[-1].tolist()
        x, y = ring.T
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() == 2 * piece.area  # so by the non-zero rule, too
        rows, columns = np.mgrid[: piece.inside.shape[0], : piece.inside.shape[1]] + 0.5
        inside = np.zeros(piece.inside.shape, dtype=bool)
        for (begin_x, begin_y), (_, end_y) in pairwise(ring):
            inside ^= ((begin_y > rows) != (end_y > rows)) & (columns < begin_x)  # edges are upright or level
        assert np.array_equal(inside, piece.inside)
        assert np.array_equal(coco_mask([ring.ravel().tolist()], *inside.shape), inside)  # as pycocotools draws it


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LABELS)
def test_pycocotools_draws_a_line_of_yolo_as_the_piece(labels: np.ndarray) -> None:
    height, width = labels.shape
    for piece in find_pieces(labels, PieceParameters()):
        category, *shares = polygon_line(piece, labels.shape).split()
        corners = [
            float(share) * side for share, side in zip(shares, [width, height] * (len(shares) // 2), strict=True)
        ]
        expected = np.zeros(labels.shape, dtype=bool)
        expected[piece.box] = piece.inside
        assert int(category) == piece.category
        assert np.array_equal(coco_mask([corners], height, width), expected)


@pytest.mark.parametrize("fill", [True, False])
def test_drawing_libraries_fill_a_ring_as_it_is_meant(fill: bool) -> None:
    drawing = pytest.importorskip("cv2", reason="an extra")
    labels = np.zeros((60, 80), dtype=np.int32)
    labels[20:30, 10:25] = labels[35:50, 40:70] = -1
    [piece] = find_pieces(labels, PieceParameters(fill_holes=fill))
    canvas = np.zeros(labels.shape, dtype=np.uint8)
    drawing.fillPoly(canvas, [one_ring(trace_piece(piece)).astype(np.int32)], 1)
    wrong = canvas != piece.inside  # such libraries draw the line of the border, too
    assert wrong.sum() <= 2 * (10 + 15 + 15 + 30) * (not fill) + 40 * (not fill)
