from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.outputs import UNKNOWN_COLOUR, draw_overlay, palette, write_overlay
from freeda_svc.outputs.fonts import load_font, shown_in
from freeda_svc.outputs.overlays import MOST_LONG_SIDE, _entries

NAMES = ("ball", "sky", "boat")


def grey(height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def halves(height: int = 64, width: int = 64) -> np.ndarray:
    """A quarter ball, the rest sky, no boat."""
    labels = np.ones((height, width), dtype=np.int32)
    labels[: height // 2, : width // 2] = 0
    return labels


def test_small_images_are_enlarged_so_that_the_legend_can_be_read() -> None:
    sheet = np.asarray(draw_overlay(grey(), halves(), NAMES, palette()))
    assert sheet.shape[0] == 512
    assert sheet.shape[1] > 512 + 100
    legend = sheet[:, 512:]
    rows = np.flatnonzero((legend < 100).all(axis=2).any(axis=1))
    assert rows.max() - rows.min() > 40  # dark ink over at least two lines of some twenty pixels


def test_pixels_lean_to_the_colour_of_their_label() -> None:
    sheet = np.asarray(draw_overlay(grey(), halves(), NAMES, palette())).astype(float)
    for index, (row, column) in [(0, (100, 100)), (1, (400, 400))]:
        expected = 128 * 0.45 + palette()[index].astype(float) * 0.55
        assert np.abs(sheet[row, column] - expected).max() <= 1
    assert sheet[100, 256].tolist() == [255, 255, 255]  # the line between the two


def test_the_image_shows_through() -> None:
    image = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    sheet = np.asarray(draw_overlay(image, np.zeros((600, 700), dtype=int), ("sky",), palette()))
    expected = image * 0.45 + palette()[0] * 0.55
    assert np.abs(sheet[:600, :700] - expected).max() <= 1


def test_the_legend_has_a_swatch_of_each_colour_in_the_picture_and_no_other() -> None:
    legend = np.asarray(draw_overlay(grey(), halves(), NAMES, palette()))[:, 512:].reshape(-1, 3)
    shown = [(legend == colour).all(axis=1).sum() > 50 for colour in palette(3)]
    assert shown == [True, True, False]


def test_the_legend_lists_the_largest_first_with_its_share() -> None:
    texts = [entry.text for entry in _entries(halves(), NAMES, palette(), load_font(17))]
    assert texts == ["sky  75 %", "ball  25 %", "not found: 1 of 3"]


def test_tiny_shares_long_names_and_line_breaks_stay_readable() -> None:
    labels = np.zeros((100, 100), dtype=int)
    labels[0, 0] = 1
    texts = [entry.text for entry in _entries(labels, ("a\nb", "x" * 90), palette(), load_font(17))]
    assert texts[0] == "a b  100 %"
    assert texts[1].endswith("...  <1 %")
    assert len(texts[1]) < 40


def test_many_categories_get_columns() -> None:
    labels = np.append(np.arange(255), 0).repeat(64).reshape(128, 128)
    sheet = draw_overlay(np.full((128, 128, 3), 90, dtype=np.uint8), labels, [f"c{n}" for n in range(255)], palette())
    assert sheet.height == 512
    legend = np.asarray(sheet)[:, 512:].reshape(-1, 3)
    shown = set(map(tuple, np.unique(legend, axis=0).tolist()))
    assert set(map(tuple, palette().tolist())) <= shown


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (1200, 1600)])
def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    sheet = draw_overlay(grey(*size), halves(*size), NAMES, palette())
    assert sheet.height >= size[0]
    assert sheet.width > size[1]


def test_it_is_written_as_png(tmp_path: Path) -> None:
    write_overlay(tmp_path / "overlay.png", grey(), halves(), NAMES, palette())
    drawn = draw_overlay(grey(), halves(), NAMES, palette())
    with Image.open(tmp_path / "overlay.png") as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), np.asarray(drawn))


@pytest.mark.parametrize(
    ("image", "labels", "names", "colours", "message"),
    [
        (grey(64, 63), halves(), NAMES, 256, r"the image must be \(H, W, 3\) like the labels \(64, 64\)"),
        (grey()[..., 0], halves(), NAMES, 256, r"the image must be \(H, W, 3\)"),
        (grey(), halves(), NAMES[:1], 256, "to 0, one a colour, not from 0 to 1"),
        (grey(), halves() - 2, NAMES, 256, "not from -2"),
        (grey(), halves(), NAMES, 2, "3 categories need as many colours, not 2"),
        (grey().astype(np.float32), halves(), NAMES, 256, "the image must be .* uint8"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    image: np.ndarray, labels: np.ndarray, names: tuple[str, ...], colours: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        draw_overlay(image, labels, names, palette(colours))


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_overlay(tmp_path / "overlay.gif", grey(), halves(), NAMES, palette())


def test_unknown_pixels_have_their_own_colour_and_line_in_the_legend() -> None:
    labels = halves() - 1
    texts = [entry.text for entry in _entries(labels, NAMES, palette(), load_font(17))]
    assert texts == ["ball  75 %", "unknown  25 %", "not found: 2 of 3"]
    sheet = np.asarray(draw_overlay(grey(), labels, NAMES, palette())).astype(float)
    assert np.abs(sheet[100, 100] - (128 * 0.45 + np.array(UNKNOWN_COLOUR) * 0.55)).max() <= 1


def test_very_large_pictures_are_reduced() -> None:
    height, width = 30, 2 * MOST_LONG_SIDE + 10
    sheet = np.asarray(draw_overlay(grey(height, width), halves(height, width), NAMES, palette())).astype(float)
    expected = [128 * 0.45 + palette()[index].astype(float) * 0.55 for index in (0, 1)]
    assert np.abs(sheet[2, 10] - expected[0]).max() <= 1
    assert np.abs(sheet[2, width // 3 - 10] - expected[1]).max() <= 1
    assert sheet.shape[1] < MOST_LONG_SIDE + 2000


def test_names_in_any_script_can_be_told_apart_in_the_legend() -> None:
    labels = np.arange(3).repeat(9).reshape(3, 9)
    names = ("\U0001f436\U0001f9b4", "\ue000", "ball")  # an emoji, a character that no font has
    texts = [entry.text.split("  ")[0] for entry in _entries(labels, names, palette(), load_font(17))]
    assert texts[0] in {names[0], "category 1"}
    assert texts[1:] == ["category 2", "ball"]
    font = load_font(17)
    assert shown_in(font, "a \ue000", "instead") == "instead"
    assert shown_in(font, "dog house", "instead") == "dog house"
