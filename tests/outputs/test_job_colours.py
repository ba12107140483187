import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.outputs import UNKNOWN_COLOUR, palette
from freeda_svc.outputs.differences import distinctness, perceived_tints
from freeda_svc.outputs.job_colours import COLOURS_FILE, noted_colours, shown_colours
from freeda_svc.vocabularies import load_vocabulary

ADE = load_vocabulary("ade150")
NAMES = [category.name for category in ADE.categories]


def picture(*shown: int) -> np.ndarray:
    """Each category has a column, the first the widest."""
    return np.concatenate([np.full(len(shown) - place, label) for place, label in enumerate(shown)])[None]


def least_distinctness(colours: np.ndarray) -> float:
    colours_seen = perceived_tints(np.concatenate((colours, [UNKNOWN_COLOUR])))
    apart = distinctness(colours_seen, colours_seen)
    return float(apart[~np.eye(len(apart), dtype=bool)].min())


def test_the_datasets_own_colours_are_too_much_alike() -> None:
    for one, other in [("grass", "bottle"), ("painting", "table")]:
        pair = [NAMES.index(one), NAMES.index(other)]
        assert least_distinctness(ADE.colours[pair]) < 0.7


def test_a_pictures_colours_are_distinguished(tmp_path: Path) -> None:
    shown = [NAMES.index(name) for name in ("grass", "bottle", "painting", "table", "wall", "sky", "tree", "person")]
    colours = shown_colours(tmp_path, NAMES, ADE.colours, picture(*shown))
    assert colours.shape == (150, 3)
    assert colours.dtype == np.uint8
    assert least_distinctness(colours[shown]) >= 1
    assert np.array_equal(colours[shown[0]], ADE.colours[shown[0]])  # the largest keeps its own


def test_a_category_keeps_its_colour_over_all_pictures(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    seen_before: dict[int, tuple[int, ...]] = {}
    for _ in range(12):
        shown = generator.choice(24, 6, replace=False).tolist()
        colours = shown_colours(tmp_path, NAMES, ADE.colours, picture(*shown))
        for label in shown:
            assert seen_before.setdefault(label, tuple(colours[label])) == tuple(colours[label])
    assert len(seen_before) == 24
    assert least_distinctness(np.array(list(seen_before.values()))) >= 0.9
    assert np.array_equal(noted_colours(tmp_path, NAMES, ADE.colours)[24:], ADE.colours[24:])
    assert tuple(noted_colours(tmp_path, NAMES, ADE.colours)[shown[0]]) == seen_before[shown[0]]


def test_colours_of_the_palette_stay_as_they_are(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(20)]
    assert np.array_equal(shown_colours(tmp_path, names, palette(20), picture(*range(20))), palette(20))


@pytest.mark.slow
def test_colours_differ_within_a_picture_though_the_job_has_shown_too_many_to_distinguish(tmp_path: Path) -> None:
    for start in range(0, 60, 6):
        shown_colours(tmp_path, NAMES, ADE.colours, picture(*range(start, start + 6)))
    shown = list(range(60, 72))
    colours = shown_colours(tmp_path, NAMES, ADE.colours, picture(*shown))
    assert least_distinctness(colours[shown]) >= 0.99


def test_names_count_where_each_picture_has_a_list_of_its_own(tmp_path: Path) -> None:
    first = shown_colours(tmp_path, ["dog", "cat"], palette(), picture(0, 1))
    second = shown_colours(tmp_path, ["cat", "moon", "dog"], palette(), picture(0, 1, 2))
    assert np.array_equal(second[[2, 0]], first)
    assert least_distinctness(second) >= 1


def test_pictures_without_categories_and_lists_with_equal_names_are_taken(tmp_path: Path) -> None:
    colours = shown_colours(tmp_path, ["dog"], palette(), np.full((2, 2), -1))
    assert np.array_equal(colours, palette(1))
    colours = shown_colours(tmp_path, ["dog", "dog"], palette(), picture(0, 1))
    assert np.array_equal(colours[0], colours[1])


def test_what_cannot_be_noted_is_shown_all_the_same(tmp_path: Path) -> None:
    colours = shown_colours(tmp_path / "gone", ["dog", "cat"], palette(), picture(0, 1))
    assert np.array_equal(colours, palette(2))
    (tmp_path / COLOURS_FILE).write_bytes(b'["dog", 1, 2, 3]\n["cat", 300, 0, 0]\n\xff\n["cow", 1')
    colours = shown_colours(tmp_path, ["dog", "cat", "cow"], palette(), picture(0, 1, 2))
    assert colours[0].tolist() == [1, 2, 3]
    assert np.array_equal(noted_colours(tmp_path, ["dog", "cat", "cow"], palette()), colours)


def _show(folder: str, start: int) -> None:
    for number in range(start, start + 12):
        shown_colours(Path(folder), NAMES, ADE.colours, picture(*range(number, number + 4)))


@pytest.mark.slow
def test_several_processes_agree_on_colours(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_show, args=(str(tmp_path), 0)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    lines = (tmp_path / COLOURS_FILE).read_text().splitlines()
    assert len(lines) == 15  # each category was chosen once
