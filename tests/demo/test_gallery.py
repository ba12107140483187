"""The gallery shows every picture, in order, in its true colours."""

import numpy as np

from freeda_svc.demo.gallery import GAP, HEADING, MARGIN, TILE, Row, Section, colour_labels, draw_gallery
from freeda_svc.outputs import heat

PALETTE = np.array([[200, 30, 30], [30, 200, 30]], dtype=np.uint8)


def _plain(value: int) -> np.ndarray:
    return np.full((64, 64, 3), value, dtype=np.uint8)


def test_pictures_stand_side_by_side_under_their_heading() -> None:
    rows = (Row("input", (_plain(10), _plain(20))), Row("mask", (_plain(30), _plain(40))))
    drawn = np.asarray(draw_gallery([Section("scenes", rows)], ["a", "b"], PALETTE))
    top = GAP + HEADING
    for row, values in enumerate(((10, 20), (30, 40))):
        for column, value in enumerate(values):
            y, x = top + row * (TILE + GAP) + 5, MARGIN + column * (TILE + GAP) + 5
            assert drawn[y, x].tolist() == [value] * 3


def test_legend_has_every_colour() -> None:
    drawn = np.asarray(draw_gallery([Section("scenes", (Row("input", (_plain(10),)),))], ["a", "b"], PALETTE))
    for colour in PALETTE:
        assert (drawn == colour).all(axis=-1).sum() > 100


def test_labels_take_their_colour() -> None:
    assert colour_labels(np.array([[0, 1]]), PALETTE).tolist() == [[[200, 30, 30], [30, 200, 30]]]


def test_heat_is_red_where_the_noun_was_found() -> None:
    attribution = np.zeros((8, 8), dtype=np.float32)
    attribution[:4] = 1
    shown = heat(np.full((8, 8, 3), 128, dtype=np.uint8), attribution).astype(int)
    assert (shown[:4, :, 0] > shown[:4, :, 2] + 50).all()
    assert (shown[4:, :, 0] == shown[4:, :, 2]).all()
