import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded import cones as cones_module
from freeda_svc.bank.embedded import scan as module
from freeda_svc.bank.embedded import scoring
from freeda_svc.bank.embedded.scan import nearest_rows
from freeda_svc.bank.embedded.scoring import Keys
from tests.bank.embedded.laid_out_keys import (
    LAYOUTS,
    Array,
    Rows,
    assert_exact,
    brute_force,
    draw_queries,
    lay_out,
    make_keys,
    unknown_words,
)


@dataclass
class Work:
    """How a search went about it: rows scored for one query alone, and rows of passes for several."""

    alone: list[int]
    passes: list[tuple[int, int]]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    seen = Work([], [])
    score, pass_over = module.score, module.pass_over

    def counted_score(keys: Keys, query: Array, rows: Rows, scratch: object) -> object:
        seen.alone.append(len(rows))
        return score(keys, query, rows, scratch)

    def counted_pass(
        keys: Keys, queries: Array, k: int, floors: npt.NDArray[np.float64], rows: Rows, **options: object
    ) -> object:
        if len(rows):
            seen.passes.append((len(queries), len(rows)))
        return pass_over(keys, queries, k, floors, rows, **options)

    monkeypatch.setattr(module, "score", counted_score)
    monkeypatch.setattr(module, "pass_over", counted_pass)
    return seen


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 16)
    monkeypatch.setattr(module, "_EXACT_ROWS_AT_ONCE", 8)
    monkeypatch.setattr(module, "_QUERIES_AT_ONCE", 3)


@pytest.fixture
def clustered() -> tuple[Array, Rows]:
    keys, nouns = lay_out("clustered", 1500, 64, np.random.default_rng(0))
    cones = make_keys(keys, nouns).cones
    assert (cones.narrowest > 0.93).all()
    return keys, nouns


def test_a_word_the_bank_knows_reads_a_few_nouns_only(clustered: tuple[Array, Rows], work: Work) -> None:
    keys = make_keys(*clustered)
    queries = keys.cones.centres[:6]
    work.alone.clear()
    assert_exact(keys, queries, 10)
    assert work.passes == []
    assert sum(work.alone) < 0.2 * len(queries) * keys.rows


def test_rare_words_share_one_pass_over_what_any_of_them_needs(
    clustered: tuple[Array, Rows], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALONE_SHARE", 0.0)
    keys = make_keys(*clustered)
    queries = unit_rows(keys.cones.centres[:4] + keys.cones.centres[4:8])
    assert_exact(keys, queries, 10)
    ((together, rows),) = work.passes
    assert together == len(queries)
    assert 0 < rows < keys.rows


def test_unknown_words_share_one_pass_over_all(
    clustered: tuple[Array, Rows], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALONE_SHARE", 0.0)
    monkeypatch.setattr(module, "_WHOLE_SHARE", 0.1)
    keys = make_keys(*clustered)
    assert_exact(keys, unknown_words(keys, 5), 10)
    assert work.passes == [(5, 1500)]


def test_words_of_both_kinds_are_answered_in_one_call(clustered: tuple[Array, Rows], work: Work) -> None:
    keys = make_keys(*clustered)
    unknown = unknown_words(keys, 3)
    queries = np.concatenate([unknown[:1], keys.cones.centres[:3], unknown[1:]])
    assert_exact(keys, queries, 10)
    assert [together for together, _ in work.passes] == [3]


def test_of_keys_that_crowd_together_few_are_read_exactly() -> None:
    generator = np.random.default_rng(5)
    keys, nouns = lay_out("one noun", 4000, 256, generator)
    crowded = make_keys(keys, nouns)
    query = unit_rows(crowded.cones.centres + 0.001 * generator.normal(size=(1, 256)).astype(np.float32))
    scores = (query @ keys.T)[0]
    assert np.sum(scores > np.sort(scores)[-20] - 2**-11) > 1000  # those that float16 cannot tell apart
    read: list[int] = []

    def read_exact(rows: Rows) -> Array:
        read.append(len(rows))
        return keys[rows]

    assert_exact(crowded, query, 20)
    nearest_rows(dataclasses.replace(crowded, read_exact=read_exact), query, 20)
    assert sum(read) < 400


def test_rows_without_cones_are_searched_as_well(clustered: tuple[Array, Rows], work: Work) -> None:
    keys = make_keys(*clustered, covered=1400)
    assert_exact(keys, np.concatenate([keys.cones.centres[:3], clustered[0][1400:1403]]), 10)
    assert work.passes[0] == (6, 100)


@pytest.mark.parametrize("whole_share", [0.0, 1.0])
@pytest.mark.parametrize("alone_share", [0.0, 0.03, 1.0])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("small_blocks")
def test_every_way_of_searching_is_exact(
    layout: str, alone_share: float, whole_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALONE_SHARE", alone_share)
    monkeypatch.setattr(module, "_WHOLE_SHARE", whole_share)
    generator = np.random.default_rng(3)
    keys, nouns = lay_out(layout, 400, 24, generator)
    queries = draw_queries(keys, 7, generator)
    hidden, removed = generator.random((2, 400)) < [[0.2], [0.1]]
    for k in (1, 9, 120, 500):
        assert_exact(make_keys(keys, nouns), queries, k)
        assert_exact(make_keys(keys, nouns, hidden=hidden, removed=removed, covered=330), queries, k)


@given(
    layout=st.sampled_from(LAYOUTS),
    number=st.integers(0, 150),
    dimension=st.integers(1, 40),
    query_number=st.integers(1, 5),
    k=st.integers(1, 160),
    hidden_share=st.sampled_from([0.0, 0.3, 1.0]),
    removed_share=st.sampled_from([0.0, 0.3, 1.0]),
    covered=st.integers(0, 150),
    first_row=st.sampled_from([0, 0, 1, 40]),
    alone_share=st.sampled_from([0.0, 0.1, 1.0]),
    whole_share=st.sampled_from([0.0, 0.5, 1.0]),
    at_once=st.sampled_from([1, 5, 32, 2048]),
    kept=st.sampled_from([1, 4]),
    crowd=st.sampled_from([1, 3, 16]),
    near=st.sampled_from([0.0, 0.5, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nearest_rows_are_those_of_a_brute_force_scan(
    *,
    layout: str,
    number: int,
    dimension: int,
    query_number: int,
    k: int,
    hidden_share: float,
    removed_share: float,
    covered: int,
    first_row: int,
    alone_share: float,
    whole_share: float,
    at_once: int,
    kept: int,
    crowd: int,
    near: float,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    keys, nouns = lay_out(layout, number, dimension, generator)
    hidden, removed = generator.random((2, number)) < [[hidden_share], [removed_share]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ALONE_SHARE", alone_share)
        patch.setattr(module, "_WHOLE_SHARE", whole_share)
        patch.setattr(scoring, "_ROWS_AT_ONCE", at_once)
        patch.setattr(module, "_EXACT_ROWS_AT_ONCE", at_once)
        patch.setattr(module, "_QUERIES_AT_ONCE", 2)
        patch.setattr(scoring, "_HITS_KEPT", kept)
        patch.setattr(module, "_CROWD", crowd)
        patch.setattr(module, "_NEAR", near)
        patch.setattr(cones_module, "_ROWS_AT_ONCE", at_once)
        bank = make_keys(keys, nouns, hidden=hidden, removed=removed, covered=covered)
        assert_exact(bank, draw_queries(keys, query_number, generator), k, first_row)


@pytest.mark.parametrize("covered", [0, 50, 100])
@pytest.mark.parametrize("k", [1, 30, 99, 100, 101])
@pytest.mark.usefixtures("small_blocks")
def test_of_equal_keys_those_with_the_smallest_ids_are_nearest(k: int, covered: int) -> None:
    key = unit_rows(np.random.default_rng(4).normal(size=(1, 48)).astype(np.float32))
    keys = make_keys(np.repeat(key, 100, axis=0), np.arange(100) % 7, covered=covered)
    ((rows, scores),) = nearest_rows(keys, key, k)
    ids = [row.tobytes() for row in keys.ids(np.arange(100))]
    assert rows.tolist() == sorted(range(100), key=lambda row: ids[row])[:k]
    assert len(set(scores.tolist())) == 1


@pytest.mark.parametrize("k", [1, 2, 5])
def test_keys_that_float16_cannot_tell_apart_are_put_in_order(k: int) -> None:
    # Their float16 values are the same, or even in the wrong order.
    generator = np.random.default_rng(5)
    query = unit_rows(generator.normal(size=(1, 32)).astype(np.float32))
    keys = unit_rows((query + 3e-4 * generator.normal(size=(300, 32))).astype(np.float32))
    bank = make_keys(keys, np.arange(300) % 25)
    coarse = (keys.astype(np.float16).astype(np.float32) @ query[0]).argmax()
    assert coarse != brute_force(bank, query[0], 1)[0][0]
    assert_exact(bank, query, k)


def test_hidden_nouns_do_not_stop_others_from_being_pruned(clustered: tuple[Array, Rows], work: Work) -> None:
    # The nouns that would come first are hidden to the last row.
    keys, nouns = clustered
    centres = make_keys(keys, nouns).cones.centres
    hidden = np.isin(nouns, np.argsort(-(centres @ centres[0]))[:3])
    work.alone.clear()
    assert_exact(make_keys(keys, nouns, hidden=hidden), centres[:1], 3)
    assert sum(work.alone) + sum(rows for _, rows in work.passes) < 0.5 * len(keys)


def test_no_rows_and_no_queries_give_nothing() -> None:
    keys = make_keys(np.empty((0, 4), dtype=np.float32), np.empty(0, dtype=np.int64))
    ((rows, scores),) = nearest_rows(keys, np.eye(1, 4, dtype=np.float32), 3)
    assert (rows.shape, rows.dtype, scores.shape, scores.dtype) == ((0,), np.int64, (0,), np.float32)
    some = make_keys(np.eye(3, 4, dtype=np.float32), np.arange(3))
    assert nearest_rows(some, np.empty((0, 4), dtype=np.float32), 3) == []
    ((rows, _),) = nearest_rows(some, np.eye(1, 4, dtype=np.float32), 3, first_row=3)
    assert rows.tolist() == []


def test_queries_of_any_memory_layout_are_taken(clustered: tuple[Array, Rows]) -> None:
    keys = make_keys(*clustered)
    queries = np.asfortranarray(keys.cones.centres[:4])
    assert_exact(keys, queries, 3)


def test_what_is_behind_the_last_row_is_never_read(clustered: tuple[Array, Rows]) -> None:
    # `make_keys` puts NaN there, as a batch that is being written may put anything.
    read: list[int] = []
    keys = make_keys(*clustered, covered=1200)

    def watched(rows: Rows) -> Array:
        read.append(int(rows.max(initial=0)))
        return clustered[0][rows]

    watching: Callable[[Rows], Array] = watched
    bank = Keys(keys.rows, keys.coarse, watching, keys.retrievable, keys.nouns, keys.cones, keys.ids)
    found = nearest_rows(bank, keys.cones.centres[:3], 1500)
    assert [len(rows) for rows, _ in found] == [1500] * 3
    assert max(read) < keys.rows
