import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from freeda_svc.bank.embedded import scan as module
from freeda_svc.bank.embedded import scoring
from tests.bank.embedded.laid_out_keys import (
    Array,
    Bits,
    Rows,
    assert_exact,
    draw_queries,
    lay_out,
    make_keys,
    unknown_words,
)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("number", [1, 9])
def test_a_pass_is_divided_among_threads_that_compute_alone(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ALONE_SHARE", 0.0)
    monkeypatch.setattr(module, "_WHOLE_SHARE", 0.1)
    monkeypatch.setattr(scoring, "_THREAD_ROWS", 500)
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 64)
    parts: set[scoring._Hits] = set()
    threads: set[int] = set()
    collect = scoring._Hits.collect

    def watched(hits: scoring._Hits, rows: Rows, *given: Array | Bits) -> None:
        parts.add(hits)
        threads.add(torch.get_num_threads())
        assert threading.current_thread() is not threading.main_thread()
        collect(hits, rows, *given)

    monkeypatch.setattr(scoring._Hits, "collect", watched)
    keys = make_keys(*lay_out("clustered", 1500, 64, np.random.default_rng(0)))
    assert_exact(keys, unknown_words(keys, number), 10)
    assert len(parts) == 3
    assert threads == {1}
    assert torch.get_num_threads() == 3


@pytest.fixture
def kept_candidates(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    kept: list[int] = []
    collect = scoring._Hits.collect

    def counted(hits: scoring._Hits, *arguments: object) -> None:
        collect(hits, *arguments)
        kept.append(hits._kept)

    monkeypatch.setattr(scoring._Hits, "collect", counted)
    return kept


def test_a_pass_keeps_few_candidates_however_many_rows_come(
    kept_candidates: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 64)
    generator = np.random.default_rng(6)
    keys, nouns = lay_out("random", 4000, 16, generator)
    assert_exact(make_keys(keys, nouns, covered=0), draw_queries(keys, 4, generator), 5)
    assert max(kept_candidates) < 4 * (scoring._HITS_KEPT * 5 + 3 * 64)
