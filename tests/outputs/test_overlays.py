from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.outputs import draw_overlay, palette, write_overlay
from freeda_svc.outputs.legends import Entry, draw_legend
from freeda_svc.outputs.overlays import MOST_LONG_SIDE

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
    sheet = np.asarray(draw_overlay(image, np.zeros((600, 700), dtype=int), ("",), palette()))
    expected = image * 0.45 + palette()[0] * 0.55
    assert np.abs(sheet[:600, :700] - expected).max() <= 1


def swatches(sheet: np.ndarray, left: int) -> list[np.ndarray]:
    """The insides of the swatches of a legend of one column, from the top; they have a dark line around them."""
    column = sheet[:, left + 8 + 17 // 2]  # the middle of the swatches of letters of 17 pixels
    dark = np.flatnonzero((column == (32, 32, 32)).all(axis=1))
    pairs = dark[: len(dark) // 2 * 2].reshape(-1, 2)
    return [sheet[top + 1 : bottom, left + 8 : left + 8 + 17] for top, bottom in pairs]


def test_swatches_have_the_colours_that_the_picture_shows() -> None:
    image = grey()
    image[:32, :32] = (250, 10, 90)
    sheet = np.asarray(draw_overlay(image, halves(), NAMES, palette()))
    shown = swatches(sheet, 512)
    assert len(shown) == 2
    for swatch, (row, column) in zip(shown, [(500, 20), (20, 20)], strict=True):
        assert np.abs(swatch.astype(int) - sheet[row, column]).max() <= 1


def test_a_swatch_is_the_mean_of_what_is_shown() -> None:
    image = grey()
    image[::2] = 0
    image[1::2] = 200
    sheet = np.asarray(draw_overlay(image, np.zeros((64, 64), dtype=int), ("sky",), palette())).astype(float)
    [swatch] = swatches(sheet, 512)
    assert np.abs(swatch - (100 * 0.45 + palette()[0] * 0.55)).max() <= 1


def test_categories_that_look_alike_are_hatched_in_the_picture_and_in_the_legend() -> None:
    alike = np.array([(0, 200, 0), (0, 204, 10), (150, 90, 75)], dtype=np.uint8)
    labels = np.ones((64, 64), dtype=int)
    labels[:16] = 0
    labels[56:] = 2
    sheet = np.asarray(draw_overlay(grey(), labels, NAMES, alike))
    flat = [len(np.unique(swatch.reshape(-1, 3), axis=0)) == 1 for swatch in swatches(sheet, 512)]
    assert flat == [True, False, True]  # the largest stays plain
    hatched = np.unique(swatches(sheet, 512)[1].reshape(-1, 3), axis=0)
    in_picture = np.unique(sheet[20:60, 20:60].reshape(-1, 3), axis=0)
    assert np.array_equal(hatched, in_picture)
    for row in (300, 490):  # of the others
        assert len(np.unique(sheet[row, 20:60], axis=0)) == 1


def test_the_legend_lists_the_largest_first_with_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert texts(monkeypatch, halves(), NAMES) == [("sky", "75 %"), ("ball", "25 %"), ("not found: 1 of 3", "")]


def texts(monkeypatch: pytest.MonkeyPatch, labels: np.ndarray, names: Sequence[str]) -> list[tuple[str, str]]:
    entries: list[Entry] = []

    def legend(given: Sequence[Entry], height: int, size: int) -> Image.Image:
        entries.extend(given)
        return draw_legend(given, height, size)

    monkeypatch.setattr("freeda_svc.outputs.overlays.draw_legend", legend)
    draw_overlay(grey(*labels.shape), labels, names, palette())
    return [(entry.name, entry.share) for entry in entries]


def test_tiny_shares_long_names_and_line_breaks_stay_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((100, 100), dtype=int)
    labels[0, 0] = 1
    (first, share), (second, tiny) = texts(monkeypatch, labels, ("a\nb\x07", "x" * 90))
    assert (first, share, tiny) == ("a b", "100 %", "<1 %")
    assert second.endswith("...")
    assert len(second) < 40


@pytest.mark.slow
def test_many_categories_get_columns() -> None:
    labels = np.append(np.arange(255), 0).repeat(64).reshape(128, 128)
    sheet = draw_overlay(np.full((128, 128, 3), 90, dtype=np.uint8), labels, [f"c{n}" for n in range(255)], palette())
    assert sheet.height == 512
    legend = np.asarray(sheet)[:, 512:].reshape(-1, 3).astype(int)
    for colour in np.round(palette()[:20] * 0.55 + 90 * 0.45):  # the first of them are alike to none
        assert (np.abs(legend - colour).max(axis=1) <= 1).sum() > 50


def test_large_regions_have_their_names_on_them() -> None:
    named = np.asarray(draw_overlay(grey(), halves(), NAMES, palette()))[:, :512]
    without = np.asarray(draw_overlay(grey(), halves(), ("", "", ""), palette()))[:, :512]
    changed = (named != without).any(axis=2)
    for quarter in (changed[:256, :256], changed[256:]):
        assert quarter.sum() > 100
    inside = np.zeros_like(changed)
    inside[:254, :254] = inside[258:] = inside[:, 258:] = True
    assert not changed[~inside].any()
    ink = named[changed]
    assert (ink == 255).all(axis=1).any()  # white letters
    assert (ink == 0).all(axis=1).any()  # with a black line around them


def test_names_that_no_font_has_are_counted_and_said_where_to_get_more(monkeypatch: pytest.MonkeyPatch) -> None:
    told = texts(monkeypatch, halves(), ("\ue000", "sky", "boat"))
    assert told == [
        ("sky", "75 %"),
        ("\ue000", "25 %"),
        ("not found: 1 of 3", ""),
        ("more scripts: freeda-svc[fonts]", ""),
    ]
    assert "more scripts" not in str(texts(monkeypatch, halves(), ("", "sky", "boat")))


def test_narrow_regions_have_no_names() -> None:
    labels = np.zeros((64, 64), dtype=int)
    labels[:, ::2] = 1
    named = draw_overlay(grey(), labels, NAMES, palette()).crop((0, 0, 512, 512))
    without = draw_overlay(grey(), labels, ("", "", ""), palette()).crop((0, 0, 512, 512))
    assert np.array_equal(np.asarray(named), np.asarray(without))


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (1200, 1600)])
def test_an_overlay_is_drawn_at_any_image_size(size: tuple[int, int]) -> None:
    sheet = draw_overlay(grey(*size), halves(*size), NAMES, palette())
    assert sheet.height >= size[0]
    assert sheet.width > size[1]


def test_a_written_overlay_is_the_drawn_one_as_png(tmp_path: Path) -> None:
    write_overlay(tmp_path / "overlay.png", grey(), halves(), NAMES, palette())
    drawn = draw_overlay(grey(), halves(), NAMES, palette())
    with Image.open(tmp_path / "overlay.png") as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), np.asarray(drawn))


@pytest.mark.parametrize(
    ("image", "labels", "names", "colours", "message"),
    [
        (grey(64, 63), halves(), NAMES, 256, r"the image must be \(H, W, 3\) like the labels \(64, 64\)"),
        (grey()[:0], halves(), NAMES, 256, r"an image array must be \(H, W\)"),
        (grey(), halves(), NAMES[:1], 256, "to 0, one a colour, not from 0 to 1"),
        (grey(), halves() - 2, NAMES, 256, "not from -2"),
        (grey(), halves(), NAMES, 2, "expected a colour for each category, 3, not 2"),
        (grey().astype(np.float32), halves(), NAMES, 256, "an image array must be .* uint8"),
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


def test_unknown_pixels_are_grey_and_hatched_in_the_picture_and_in_the_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = halves() - 1
    assert texts(monkeypatch, labels, NAMES) == [("ball", "75 %"), ("unknown", "25 %"), ("not found: 2 of 3", "")]
    image = np.full((64, 64, 3), (250, 10, 90), dtype=np.uint8)
    sheet = np.asarray(draw_overlay(image, labels, NAMES, palette())).astype(int)
    unknown = sheet[8:60, 8:60].reshape(-1, 3)  # beside its name
    assert (unknown.max(axis=1) == unknown.min(axis=1)).all()
    plain = round((250 * 0.2126 + 10 * 0.7152 + 90 * 0.0722) * 0.45 + 128 * 0.55)
    assert 0.2 < (np.abs(unknown[:, 0] - plain) > 20).mean() < 0.3
    assert np.abs(np.median(unknown) - plain) <= 1
    swatch = swatches(sheet, 512)[1]
    assert np.array_equal(np.unique(swatch), np.unique(unknown))
    assert sheet[400, 400].max() != sheet[400, 400].min()


def test_grey_images_with_nothing_found_do_not_look_untouched_and_say_unknown() -> None:
    sheet = np.asarray(draw_overlay(grey(), np.full((64, 64), -1), NAMES, palette()))[:, :512].astype(int)
    assert (np.abs(sheet - 128).max(axis=2) > 20).mean() > 0.2
    name = sheet[240:272, 150:362]
    assert (name == 255).all(axis=2).sum() > 100
    assert (name == 0).all(axis=2).sum() > 100


@pytest.mark.parametrize("more", [9, 10, 11])
def test_very_large_pictures_are_reduced(more: int) -> None:
    height, width = 30 + more, 2 * MOST_LONG_SIDE + more
    sheet = np.asarray(draw_overlay(grey(height, width), halves(height, width), NAMES, palette())).astype(float)
    expected = [128 * 0.45 + palette()[index].astype(float) * 0.55 for index in (0, 1)]
    assert np.abs(sheet[2, 10] - expected[0]).max() <= 1
    assert np.abs(sheet[2, width // 3 - 10] - expected[1]).max() <= 1
    assert sheet.shape[1] < MOST_LONG_SIDE + 2000
