import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded import cones as module
from freeda_svc.bank.embedded.cones import CONES_NAME, Cones, grow_cones, load_cones, no_cones, save_cones

Array = npt.NDArray[np.float32]

property_test = settings(max_examples=150, deadline=None, derandomize=True)


def draw_keys(nouns: npt.NDArray[np.uint32], dimension: int, spread: float, generator: np.random.Generator) -> Array:
    centres = unit_rows(generator.normal(size=(int(nouns.max(initial=0)) + 1, dimension)).astype(np.float32))
    noise = generator.normal(size=(len(nouns), dimension)) / np.sqrt(dimension)
    return unit_rows((centres[nouns] + spread * noise).astype(np.float32))


def draw_nouns(number: int, nouns: int, generator: np.random.Generator) -> npt.NDArray[np.uint32]:
    return generator.integers(nouns, size=number).astype(np.uint32)


def cover(keys: Array, nouns: npt.NDArray[np.uint32], alive: npt.NDArray[np.bool_] | None = None) -> Cones:
    present = np.ones(len(keys), dtype=np.bool_) if alive is None else alive
    return grow_cones(no_cones(keys.shape[1]), keys.astype(np.float16), keys.__getitem__, nouns, present)


def cosines(queries: Array, keys: Array) -> npt.NDArray[np.float64]:
    products: npt.NDArray[np.float64] = queries.astype(np.float64) @ keys.astype(np.float64).T
    return products


def largest_by_noun(queries: Array, keys: Array, nouns: npt.NDArray[np.uint32], groups: int) -> npt.NDArray[np.float64]:
    largest = np.full((len(queries), groups), -np.inf)
    np.maximum.at(largest, (np.arange(len(queries))[:, np.newaxis], nouns[np.newaxis]), cosines(queries, keys))
    return largest


def assert_same(one: Cones, other: Cones) -> None:
    for field in dataclasses.fields(Cones):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@property_test
@given(
    number=st.integers(1, 120),
    noun_number=st.integers(1, 12),
    dimension=st.integers(1, 48),
    spread=st.sampled_from([0.0, 1e-4, 0.05, 0.5, 3.0]),
    steps=st.lists(st.integers(1, 120), max_size=4),
    removed_share=st.sampled_from([0.0, 0.3]),
    at_once=st.sampled_from([1, 7, 4096]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_key_exceeds_the_bound_of_its_noun(
    *,
    number: int,
    noun_number: int,
    dimension: int,
    spread: float,
    steps: list[int],
    removed_share: float,
    at_once: int,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    nouns = draw_nouns(number, noun_number, generator)
    keys = draw_keys(nouns, dimension, spread, generator)
    alive = generator.random(number) >= removed_share
    cones = no_cones(dimension)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_AT_ONCE", at_once)
        for step in [*sorted(min(step, number) for step in steps), number]:
            cones = grow_cones(cones, keys[:step].astype(np.float16), keys.__getitem__, nouns[:step], alive[:step])
    # The hardest queries are near a key, and nearly opposite to a centre.
    centres = cones.centres[cones.centred > 0]
    hard = np.concatenate([sign * some[:5] for some in (keys, centres) for sign in (1, -1)])
    tilted = hard + generator.normal(size=hard.shape) * 10.0 ** generator.uniform(-8, 0, size=(len(hard), 1))
    queries = unit_rows(np.concatenate([hard, tilted, generator.normal(size=(5, dimension))]).astype(np.float32))

    bounds = cones.bounds(queries)

    assert bounds.dtype == np.float32
    assert bounds.shape == (len(queries), len(cones.centres))
    largest = largest_by_noun(queries, keys[alive], nouns[alive], len(cones.centres))
    assert (bounds.astype(np.float64) >= largest).all()
    to_centre = np.sum(keys[alive].astype(np.float64) * cones.centres[nouns[alive]], axis=1)
    assert (cones.narrowest[nouns[alive]] <= to_centre).all()


def test_the_bound_of_a_narrow_cone_is_near() -> None:
    # Else nothing would be pruned, and nobody would notice.
    generator = np.random.default_rng(0)
    nouns = draw_nouns(2000, 20, generator)
    keys = draw_keys(nouns, 256, 0.05, generator)
    queries = unit_rows(generator.normal(size=(30, 256)).astype(np.float32))
    cones = cover(keys, nouns)
    assert cones.narrowest.min() > 0.99
    excess = cones.bounds(queries) - largest_by_noun(queries, keys, nouns, 20)
    assert excess.max() < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_a_query_nearly_opposite_to_a_wide_cone_is_bounded(seed: int) -> None:
    # cos² is so near to 1 there that 1 - cos² has lost its digits: the sine must not be computed from it.
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(64, 64)))[0]
    centre, aside = turn[0], turn[1]
    rim = [np.cos(np.radians(60)) * centre + sign * np.sin(np.radians(60)) * aside for sign in (1, -1)]
    keys = unit_rows(np.array([*rim, *[centre] * 8], dtype=np.float32))
    covered = cover(keys, np.zeros(len(keys), dtype=np.uint32))
    least = np.nextafter(np.float32(cosines(covered.centres, keys).min()), np.float32(-1))
    cones = dataclasses.replace(covered, narrowest=least[np.newaxis])  # without room for what float16 takes
    tilts = 10.0 ** np.linspace(-6, -2, 100)
    queries = unit_rows(
        np.array([sign * tilt * aside - centre for tilt in tilts for sign in (1, -1)], dtype=np.float32)
    )
    assert (cones.bounds(queries)[:, 0] >= cosines(queries, keys).max(axis=1)).all()


def test_growing_moves_the_centre_of_a_noun_that_has_doubled_and_widens_the_others() -> None:
    generator = np.random.default_rng(1)
    first = np.repeat(np.arange(2, dtype=np.uint32), 10)
    then = np.concatenate([first, np.zeros(10, np.uint32), np.ones(3, np.uint32)])
    keys = draw_keys(then, 32, 0.3, generator)
    small = cover(keys[:20], first)
    grown = grow_cones(small, keys.astype(np.float16), keys.__getitem__, then, np.ones(len(then), dtype=np.bool_))
    assert grown.centred.tolist() == [20, 10]
    assert not np.array_equal(grown.centres[0], small.centres[0])
    np.testing.assert_array_equal(grown.centres[1], small.centres[1])
    assert grown.narrowest[1] <= small.narrowest[1]
    np.testing.assert_allclose(np.linalg.norm(grown.centres, axis=1), 1, rtol=1e-6)
    # What grew has left what it grew from as it was: searches may be using it.
    assert_same(small, cover(keys[:20], first))


def test_growing_by_nothing_changes_nothing() -> None:
    generator = np.random.default_rng(2)
    nouns = draw_nouns(30, 4, generator)
    keys = draw_keys(nouns, 16, 0.1, generator)
    cones = cover(keys, nouns)
    assert_same(grow_cones(cones, keys.astype(np.float16), keys.__getitem__, nouns, np.ones(30, dtype=np.bool_)), cones)


def test_removed_rows_do_not_count_whatever_their_keys_are() -> None:
    generator = np.random.default_rng(3)
    nouns = np.repeat(np.arange(3, dtype=np.uint32), 10)
    keys = draw_keys(nouns, 16, 0.05, generator)
    alive = np.ones(30, dtype=np.bool_)
    alive[[0, 1, 2, *range(10, 20)]] = False
    keys[~alive] = 0  # as where row files were made again
    cones = cover(keys, nouns, alive)
    assert np.isfinite(cones.centres).all()
    assert np.isfinite(cones.narrowest).all()
    assert cones.centred.tolist() == [7, 0, 10]
    assert cones.narrowest[[0, 2]].min() > 0.99
    # The noun of which nothing was left is covered like any other when rows of it come.
    more_nouns = np.concatenate([nouns, np.ones(2, dtype=np.uint32)])
    more_keys = np.concatenate([keys, draw_keys(np.zeros(2, np.uint32), 16, 0.05, generator)])
    present = np.append(alive, [True, True])
    grown = grow_cones(cones, more_keys.astype(np.float16), more_keys.__getitem__, more_nouns, present)
    assert grown.centred.tolist() == [7, 2, 10]
    assert (grown.bounds(more_keys[30:])[:, 1] >= 1 - 1e-6).all()


@pytest.mark.usefixtures("three_threads")
def test_bounds_are_the_same_when_the_nouns_are_divided_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(9)
    nouns = draw_nouns(200, 40, generator)
    keys = draw_keys(nouns, 12, 0.2, generator)
    cones = cover(keys, nouns)
    together = cones.bounds(keys[:4])
    monkeypatch.setattr(module, "_THREAD_NOUNS", 10)
    np.testing.assert_allclose(cones.bounds(keys[:4]), together, rtol=0, atol=1e-6)


def test_keys_that_cancel_each_other_have_a_cone() -> None:
    keys = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32)
    cones = cover(keys, np.zeros(4, dtype=np.uint32))
    assert (cones.bounds(keys)[:, 0] >= 1).all()


def test_rows_of_nouns_come_noun_after_noun() -> None:
    nouns = np.array([2, 0, 2, 1, 0, 2], dtype=np.uint32)
    cones = cover(draw_keys(nouns, 3, 0.1, np.random.default_rng(4)), nouns)
    assert cones.rows_of(np.array([2, 0])).tolist() == [0, 2, 5, 1, 4]
    assert cones.rows_of(np.array([1])).tolist() == [3]
    assert cones.rows_of(np.array([], dtype=np.int64)).tolist() == []


def test_the_cones_of_an_empty_bank_bound_nothing() -> None:
    empty = no_cones(3)
    assert empty.bounds(np.ones((2, 3), dtype=np.float32)).shape == (2, 0)
    keys, nobody = np.empty((0, 3), np.float32), np.empty(0, np.bool_)
    assert_same(grow_cones(empty, keys.astype(np.float16), keys.__getitem__, np.empty(0, np.uint32), nobody), empty)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Cones, npt.NDArray[np.uint32]]:
    generator = np.random.default_rng(5)
    nouns = draw_nouns(40, 6, generator)
    cones = cover(draw_keys(nouns, 8, 0.1, generator), nouns)
    save_cones(tmp_path, cones)
    return cones, nouns


def test_saved_cones_are_loaded_as_they_were(tmp_path: Path, saved: tuple[Cones, npt.NDArray[np.uint32]]) -> None:
    cones, nouns = saved
    assert_same(load_cones(tmp_path, 8, nouns), cones)
    assert [path.name for path in tmp_path.iterdir()] == [CONES_NAME]
    # Rows that came later are not covered by them, and another noun may be among these.
    assert_same(load_cones(tmp_path, 8, np.append(nouns, np.uint32(9))), cones)


def test_cones_that_do_not_fit_the_bank_are_left(tmp_path: Path, saved: tuple[Cones, npt.NDArray[np.uint32]]) -> None:
    _, nouns = saved
    for dimension, those in ((9, nouns), (8, nouns[:-1]), (8, nouns + np.uint32(7))):
        assert_same(load_cones(tmp_path, dimension, those), no_cones(dimension))


@pytest.mark.parametrize("keep", [0, 1, 100, 600, -1])
def test_a_cones_file_that_is_cut_off_is_left(
    tmp_path: Path, saved: tuple[Cones, npt.NDArray[np.uint32]], keep: int
) -> None:
    content = (tmp_path / CONES_NAME).read_bytes()
    (tmp_path / CONES_NAME).write_bytes(content[:keep])
    assert_same(load_cones(tmp_path, 8, saved[1]), no_cones(8))


def test_a_cones_file_with_a_wrong_byte_is_left_or_has_the_right_content(
    tmp_path: Path, saved: tuple[Cones, npt.NDArray[np.uint32]]
) -> None:
    content = (tmp_path / CONES_NAME).read_bytes()
    left = 0
    for at in range(0, len(content), 3):
        spoilt = bytearray(content)
        spoilt[at] ^= 0x55
        (tmp_path / CONES_NAME).write_bytes(spoilt)
        loaded = load_cones(tmp_path, 8, saved[1])
        assert_same(loaded, saved[0] if loaded.rows else no_cones(8))
        left += loaded.rows == 0
    assert left > 100


def test_a_cones_file_that_is_something_else_is_left(tmp_path: Path) -> None:
    (tmp_path / CONES_NAME).write_bytes(b"not an archive of arrays")
    assert_same(load_cones(tmp_path, 8, np.zeros(3, dtype=np.uint32)), no_cones(8))
    np.savez((tmp_path / CONES_NAME), other=np.zeros(3))
    assert_same(load_cones(tmp_path, 8, np.zeros(3, dtype=np.uint32)), no_cones(8))
