import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank import Revision
from freeda_svc.bank.class_prototype_cache import ClassPrototypeCache, Ranking, Retrieved

Scored = dict[str, tuple[float, bool]]


def ranking(scored: Scored, k: int = 1000) -> Ranking:
    """The k best of some ids, restated: by score, then by id."""
    best = sorted(scored, key=lambda name: (-scored[name][0], name))[:k]
    return Ranking(
        np.array(best, dtype=np.bytes_),
        np.array([scored[name][0] for name in best], dtype=np.float32),
        np.array([scored[name][1] for name in best], dtype=np.bool_),
        np.array([f"noun of {name}" for name in best], dtype=np.object_),
    )


def listed(ranking: Ranking) -> list[tuple[str, float, bool]]:
    assert [f"noun of {name.decode()}" for name in ranking.ids] == list(ranking.nouns)
    rows = zip(ranking.ids, ranking.scores, ranking.of_this_noun, strict=True)
    return [(name.decode(), float(score), bool(own)) for name, score, own in rows]


def retrieved(number: float) -> Retrieved:
    values = np.full(2, number, dtype=np.float32)
    return Retrieved(values, Revision(1, ""), ranking({"a": (number, False)}), values)


SCORED = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.tuples(st.sampled_from([-0.5, 0.0, 0.25, 0.5]), st.booleans())
)


@given(
    everything=SCORED,
    newer=st.sets(st.text("abc", min_size=1, max_size=3)),
    again=st.integers(0, 3),
    k=st.integers(1, 5),
)
@settings(derandomize=True, deadline=None)
def test_what_was_known_and_what_is_newer_give_the_ranking_of_all(
    everything: Scored, newer: set[str], again: int, k: int
) -> None:
    older = {name: score for name, score in everything.items() if name not in newer}
    shown = {name: score for name, score in everything.items() if name in newer}
    shown |= dict(list(older.items())[:again])
    known = ranking(older, k)
    merged = known.merged(ranking(shown, k), k)
    assert listed(merged) == listed(ranking(everything, k))
    assert (merged is known) == (listed(merged) == listed(known))


def test_an_equal_score_decides_by_the_id() -> None:
    known = ranking({"b": (0.5, False), "d": (0.5, False)})
    assert [name for name, _, _ in listed(known.merged(ranking({"c": (0.5, True)}), 2))] == ["b", "c"]
    assert known.merged(ranking({"e": (0.5, True)}), 2) is known


def test_in_the_order_of_ids_everything_stays_together() -> None:
    scored = {"b": (0.5, True), "a": (0.25, False), "c": (0.75, False)}
    assert listed(ranking(scored).by_id()) == [("a", 0.25, False), ("b", 0.5, True), ("c", 0.75, False)]


def test_what_is_kept_is_found_within_its_scope() -> None:
    cache = ClassPrototypeCache()
    entry = retrieved(1)
    cache.keep("one", {"dog": entry})
    assert cache.find("one", ["cat", "dog", "dog"]) == [None, entry, entry]
    assert cache.find("another", ["dog"]) == [None]


def test_what_was_written_longest_ago_goes_first() -> None:
    cache = ClassPrototypeCache(entries=2)
    first, second, third = retrieved(1), retrieved(2), retrieved(3)
    cache.keep("", {"a": first, "b": second})
    cache.keep("", {"a": third})
    cache.keep("", {"c": first})
    assert cache.find("", ["a", "b", "c"]) == [third, None, first]
    assert len(cache) == 2


@pytest.mark.parametrize("entries", [0, 1])
def test_a_cache_never_grows_beyond_its_size(entries: int) -> None:
    cache = ClassPrototypeCache(entries)
    cache.keep("", {str(number): retrieved(number) for number in range(5)})
    assert len(cache) == entries
