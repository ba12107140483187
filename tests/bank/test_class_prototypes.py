import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from freeda_svc.bank import EmbeddedStore, PrototypeStore, class_prototypes
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval, mean_of_finite
from freeda_svc.bank.points import point_id
from freeda_svc.bank.store import ALL, Neighbours, Selection, Version
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import EXEMPLAR, GENERATED, IMPORTED, Prototype

Array = npt.NDArray[np.float32]
MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]

TEMPLATES = ("a {}.", "the {}.")
DIRECTIONS = {"dog": [1, 0, 0, 0, 0], "cat": [0, 1, 0, 0, 0], "tree": [1, 1, 0, 0, 0], "Tree  Frog": [0, 0, 1, 1, 0]}
WORDS = list(DIRECTIONS)


def embed(texts: Sequence[str]) -> Array:
    return np.array([DIRECTIONS[text] for text in texts], dtype=np.float32)


def fetch(
    prototypes: ClassPrototypes, texts: Sequence[str] = tuple(WORDS), retrieval: Retrieval | None = None
) -> Array:
    return prototypes.fetch(texts, embed, retrieval or Retrieval(3), templates=TEMPLATES)


def fresh(store: PrototypeStore, texts: Sequence[str] = tuple(WORDS), retrieval: Retrieval | None = None) -> Array:
    return fetch(ClassPrototypes(store), texts, retrieval)


class Watched:
    """A store that tells what it was asked, and lets something happen just before or after it answers."""

    def __init__(self, store: PrototypeStore) -> None:
        self._store = store
        self.asked: list[tuple[int, Version | None]] = []
        self.vectors_given = 0
        self.before_nearest: Callable[[], object] = lambda: None
        self.after_nearest: Callable[[], object] = lambda: None
        self.before_vectors: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def nearest(
        self, queries: Array, k: int, *, origins: frozenset[str] | None = None, since: Version | None = None
    ) -> list[Neighbours]:
        self.before_nearest()
        self.asked.append((len(queries), since))
        answers = self._store.nearest(queries, k, origins=origins, since=since)
        self.after_nearest()
        return answers

    def vectors(self, ids: Sequence[str]) -> Array:
        self.before_vectors()
        self.vectors_given += len(ids)
        return self._store.vectors(ids)


@pytest.fixture
def watched(make_store: MakeStore, make_prototypes: MakePrototypes) -> Watched:
    """A store with twenty prototypes."""
    store = Watched(make_store())
    store.add(make_prototypes(20))
    return store


def near(word: str, make_prototypes: MakePrototypes, start: int, number: int = 1) -> list[Prototype]:
    """Prototypes whose keys are those of a word."""
    return make_prototypes(keys=np.repeat(embed([word]), number, axis=0), start=start)


def test_a_class_prototype_is_the_mean_of_the_k_nearest_raw_vectors(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    angles = np.linspace(0, np.pi / 2, 9)
    keys = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    vectors = np.arange(9, dtype=np.float32)[:, np.newaxis] * np.array([1, 0, 8, 2, 4, 0, 1], dtype=np.float32)
    store = make_store(key_dimension=2)
    store.add(make_prototypes(keys=keys, vectors=vectors))
    queries = np.array([[1, 0], [0, 2]], dtype=np.float32)
    means = class_prototypes(store, queries, 3)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, np.stack([vectors[:3].mean(axis=0), vectors[-3:].mean(axis=0)]), rtol=1e-3)


def test_more_categories_than_are_asked_at_once_keep_their_order(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(150)
    store = make_store()
    store.add(prototypes)
    means = class_prototypes(store, np.stack([prototype.key for prototype in prototypes]), 1)
    np.testing.assert_allclose(means, np.stack([prototype.vector for prototype in prototypes]), rtol=1e-3, atol=1e-6)


def test_a_small_bank_gives_the_mean_of_all(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(3)
    store = make_store()
    store.add(prototypes)
    (mean,) = class_prototypes(store, np.ones((1, 5), dtype=np.float32), 350)
    np.testing.assert_allclose(mean, np.mean([p.vector for p in prototypes], axis=0), rtol=2e-3, atol=1e-2)


def test_an_empty_bank_says_what_to_do_first(make_store: MakeStore) -> None:
    with pytest.raises(InputError, match=r"^the bank is empty: run `freeda ingest FILE` first$"):
        class_prototypes(make_store(), np.ones((1, 5), dtype=np.float32), 350)


def test_a_bank_of_outliers_alone_says_so(watched: Watched) -> None:
    watched.mark(dict.fromkeys(watched.select(ALL), "blurred"))
    with pytest.raises(InputError, match=r"^all 20 prototypes of the bank are marked as outliers: take marks back"):
        fetch(ClassPrototypes(watched))


def test_a_bank_without_the_origins_asked_for_says_so(watched: Watched) -> None:
    asked = Retrieval(3, origins=frozenset({EXEMPLAR, IMPORTED}))
    with pytest.raises(InputError, match=r"^none of the bank's 20 prototypes is both of origin exemplar or imported"):
        fetch(ClassPrototypes(watched), retrieval=asked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": 0}, "^0 neighbours were asked for, expected at least 1$"),
        ({"k": 1, "origins": frozenset()}, "^the origins are none, expected some of generated, exemplar, imported$"),
        ({"k": 1, "origins": frozenset({"drawn", "painted"})}, "^the origins are drawn, painted, expected some of"),
        ({"k": 1, "exemplar_weight": 0.0}, "^the weight of exemplars is 0.0, expected above 0 and at most 1000000$"),
        ({"k": 1, "exemplar_weight": float("nan")}, "^the weight of exemplars is nan, expected above 0"),
        ({"k": 1, "exemplar_weight": float("inf")}, "^the weight of exemplars is inf, expected above 0"),
    ],
)
def test_unusable_retrievals_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Retrieval(**given)


def test_rows_that_are_not_finite_are_left_out() -> None:
    vectors = np.array([[1, 2], [np.nan, 100], [3, 6], [-np.inf, 0]], dtype=np.float32)
    mean = mean_of_finite(vectors)
    np.testing.assert_array_equal(mean, [2, 4])
    assert mean.dtype == np.float32


def test_a_weighted_mean_leaves_them_out_with_their_weights() -> None:
    vectors = np.array([[1, 2], [np.nan, 100], [5, 6]], dtype=np.float32)
    mean = mean_of_finite(vectors, np.array([3.0, 100.0, 1.0]))
    np.testing.assert_array_equal(mean, [2, 3])
    assert mean.dtype == np.float32


def test_nothing_finite_is_an_error() -> None:
    with pytest.raises(InputError, match="none of the retrieved prototypes is finite"):
        mean_of_finite(np.full((2, 3), np.nan, dtype=np.float32))


def test_texts_stand_in_their_order_and_may_come_twice(watched: Watched) -> None:
    prototypes = ClassPrototypes(watched)
    texts = ["tree", "dog", "tree"]
    expected = class_prototypes(watched, embed(texts), 3)
    np.testing.assert_array_equal(fetch(prototypes, texts), expected)
    np.testing.assert_array_equal(fetch(prototypes, texts), expected)
    assert fetch(prototypes, []).shape == (0, 7)


def test_what_was_fetched_before_is_neither_embedded_nor_retrieved_again(watched: Watched) -> None:
    embedded: list[str] = []

    def embed_and_tell(texts: Sequence[str]) -> Array:
        embedded.extend(texts)
        return embed(texts)

    prototypes = ClassPrototypes(watched)
    for texts in (["dog", "cat"], ["cat", "dog"], ["tree", "dog"]):
        means = prototypes.fetch(texts, embed_and_tell, Retrieval(3), templates=TEMPLATES)
        np.testing.assert_array_equal(means, fresh(watched._store, texts))
    assert embedded == ["dog", "cat", "tree"]
    assert watched.asked == [(2, None), (1, None)]


def test_a_caller_may_change_what_it_got(watched: Watched) -> None:
    prototypes = ClassPrototypes(watched)
    expected = fetch(prototypes).copy()
    fetch(prototypes)[:] = 0
    np.testing.assert_array_equal(fetch(prototypes), expected)


@pytest.mark.parametrize(
    "other",
    [
        {"retrieval": Retrieval(4)},
        {"retrieval": Retrieval(3, origins=frozenset({GENERATED}))},
        {"retrieval": Retrieval(3, exemplar_weight=2.0)},
        {"templates": ("a {}.",)},
    ],
)
def test_what_is_asked_in_another_way_is_kept_apart(watched: Watched, other: dict[str, object]) -> None:
    prototypes = ClassPrototypes(watched)
    asked = {"retrieval": Retrieval(3), "templates": TEMPLATES}
    for given in (asked, asked | other, asked):
        prototypes.fetch(["dog"], embed, **given)
    assert watched.asked == [(1, None), (1, None)]


def test_after_growth_only_newer_keys_are_searched(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched)
    before = fetch(prototypes)
    version = watched.version()
    watched.add(near("dog", make_prototypes, start=100, number=2))
    after = fetch(prototypes)
    assert watched.asked == [(4, None), (4, version)]
    np.testing.assert_array_equal(after, fresh(watched._store))
    assert not np.array_equal(after[0], before[0])
    fetch(prototypes)
    assert len(watched.asked) == 2


def test_what_is_not_near_enough_changes_no_mean(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched)
    before = fetch(prototypes, ["dog", "cat"])
    watched.add(make_prototypes(keys=-embed(["tree"]), start=100))
    np.testing.assert_array_equal(fetch(prototypes, ["dog", "cat"]), before)
    assert watched.vectors_given == 0


def test_a_bank_with_less_than_k_takes_in_all_that_comes(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    store.add(make_prototypes(2))
    prototypes = ClassPrototypes(store)
    for start in range(100, 160, 10):
        fetch(prototypes, retrieval=Retrieval(9))
        store.add(make_prototypes(2, start=start))
        np.testing.assert_array_equal(fetch(prototypes, retrieval=Retrieval(9)), fresh(store, retrieval=Retrieval(9)))


def test_more_categories_than_are_updated_at_once_keep_their_order(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    store.add(make_prototypes(40))
    keys = {str(number): key for number, key in enumerate(np.random.default_rng(3).normal(size=(150, 5)))}

    def fetch_all(prototypes: ClassPrototypes) -> Array:
        return prototypes.fetch(
            list(keys), lambda texts: np.float32([keys[text] for text in texts]), Retrieval(3), templates=TEMPLATES
        )

    prototypes = ClassPrototypes(store)
    before = fetch_all(prototypes)
    store.add(make_prototypes(40, start=100))
    after = fetch_all(prototypes)
    np.testing.assert_array_equal(after, fetch_all(ClassPrototypes(store)))
    assert 64 < (after != before).any(axis=1).sum() < 150


@pytest.mark.parametrize("change", ["forget", "mark", "unmark"])
def test_after_a_removal_or_another_mark_the_bank_is_asked_anew(watched: Watched, change: str) -> None:
    nearest = watched.nearest(embed(["dog"]), 1)[0].ids
    if change == "unmark":
        watched.mark({nearest[0]: "blurred"})
    prototypes = ClassPrototypes(watched)
    before = fetch(prototypes)
    getattr(watched, change)({nearest[0]: "blurred"} if change == "mark" else list(nearest))
    watched.asked.clear()
    after = fetch(prototypes)
    assert watched.asked == [(4, None)]
    np.testing.assert_array_equal(after, fresh(watched._store))
    assert not np.array_equal(after, before)


@pytest.mark.parametrize("moment", ["before_nearest", "after_nearest"])
@pytest.mark.parametrize("change", ["add", "forget", "mark"])
def test_one_change_while_the_bank_answers_is_noticed(
    watched: Watched, make_prototypes: MakePrototypes, moment: str, change: str
) -> None:
    batch = near("dog", make_prototypes, start=100)
    nearest = watched.nearest(embed(["dog"]), 1)[0].ids
    changes: dict[str, Callable[[], object]] = {
        "add": lambda: watched.add(batch),
        "forget": lambda: watched.forget(nearest),
        "mark": lambda: watched.mark(dict.fromkeys(nearest, "blurred")),
    }
    prototypes = ClassPrototypes(watched)
    setattr(watched, moment, changes[change])
    fetch(prototypes)
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched._store))


def test_what_is_added_after_the_bank_answered_is_looked_at_later(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes)
    watched.add(near("dog", make_prototypes, start=100))
    watched.before_vectors = lambda: watched.add(near("dog", make_prototypes, start=200))
    fetch(prototypes)
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched._store))


def test_what_is_removed_while_the_mean_is_updated_takes_no_part(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes, ["dog"])
    watched.add(near("dog", make_prototypes, start=100))
    watched.before_vectors = lambda: watched.forget(watched.nearest(embed(["dog"]), 1)[0].ids)
    np.testing.assert_array_equal(fetch(prototypes, ["dog"]), fresh(watched._store, ["dog"]))
    np.testing.assert_array_equal(fetch(prototypes, ["dog"]), fresh(watched._store, ["dog"]))


def test_an_engine_may_answer_with_older_ones_too(
    watched: Watched, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes)
    nearest = watched.nearest
    monkeypatch.setattr(watched, "nearest", lambda queries, k, *, origins, since: nearest(queries, k, origins=origins))
    watched.add(near("dog", make_prototypes, start=100))
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched._store))


def test_more_texts_than_are_kept_are_all_answered(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched, entries=2)
    for start in (100, 200):
        np.testing.assert_array_equal(fetch(prototypes), fresh(watched._store))
        watched.add(near("cat", make_prototypes, start=start))


def exemplars(noun: str, make_prototypes: MakePrototypes, start: int) -> list[Prototype]:
    return [replace(prototype, noun=noun, origin=EXEMPLAR) for prototype in near("Tree  Frog", make_prototypes, start)]


def test_exemplars_of_the_very_noun_count_as_often_as_they_are_told(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    (own,), (other,) = exemplars("tree frog", make_prototypes, 100), exemplars("frog", make_prototypes, 200)
    generated = [replace(p, noun="tree frog") for p in near("Tree  Frog", make_prototypes, 300, number=2)]
    store.add([own, other, *generated])
    vectors = [prototype.vector for prototype in (own, other, *generated)]
    for weight in (1.0, 3.0, 0.5):
        (mean,) = fetch(ClassPrototypes(store), ["Tree  Frog"], Retrieval(4, exemplar_weight=weight))
        expected = np.average(vectors, axis=0, weights=[weight, 1, 1, 1])
        np.testing.assert_allclose(mean, expected, rtol=2e-3, atol=1e-2)
    (plain,) = fetch(ClassPrototypes(store), ["Tree  Frog"], Retrieval(4))
    np.testing.assert_array_equal(plain, class_prototypes(store, embed(["Tree  Frog"]), 4)[0])


def test_exemplars_keep_their_weight_when_the_bank_grows(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    store.add([*make_prototypes(10), *exemplars("tree frog", make_prototypes, 100)])
    prototypes, asked = ClassPrototypes(store), Retrieval(4, exemplar_weight=5.0)
    fetch(prototypes, retrieval=asked)
    store.add(exemplars("Tree Frog", make_prototypes, 200))
    np.testing.assert_array_equal(fetch(prototypes, retrieval=asked), fresh(store, retrieval=asked))


def test_only_the_origins_asked_for_are_averaged(watched: Watched, make_prototypes: MakePrototypes) -> None:
    (own,) = exemplars("frog", make_prototypes, 100)
    asked = Retrieval(3, origins=frozenset({EXEMPLAR}))
    prototypes = ClassPrototypes(watched)
    watched.add([own])
    np.testing.assert_allclose(fetch(prototypes, retrieval=asked), [own.vector] * 4, rtol=1e-3)
    watched.add(near("Tree  Frog", make_prototypes, start=200))
    np.testing.assert_allclose(fetch(prototypes, retrieval=asked), [own.vector] * 4, rtol=1e-3)


def fetch_all(prototypes: ClassPrototypes, retrieval: Retrieval, texts: Sequence[str] = tuple(WORDS)) -> list:
    return list(prototypes.fetch_all(texts, embed, retrieval, templates=TEMPLATES))


def test_the_prototypes_themselves_have_the_class_prototype_as_their_mean(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    watched.add(make_prototypes(12, nouns=("tree",), origins=(EXEMPLAR,), start=40))
    retrieval = Retrieval(5, exemplar_weight=3.0)
    prototypes = ClassPrototypes(watched)
    found = fetch_all(prototypes, retrieval)
    assert {len(one.ids) for one in found} == {5}
    assert {weight for one in found for weight in one.weights} == {1.0, 3.0}
    for one, mean in zip(found, fetch(prototypes, retrieval=retrieval), strict=True):
        assert list(one.ids) == sorted(one.ids)
        np.testing.assert_array_equal(one.vectors, watched.vectors(one.ids))
        np.testing.assert_allclose(np.average(one.vectors, axis=0, weights=one.weights), mean, rtol=1e-5)
    assert len(watched.asked) == 1  # what was retrieved is kept


def test_what_is_removed_while_the_prototypes_are_read_takes_no_part(watched: Watched) -> None:
    prototypes = ClassPrototypes(watched)
    first = fetch_all(prototypes, Retrieval(3))[0]
    gone = first.ids[0]

    def forget() -> None:
        watched.before_vectors = lambda: None
        watched.forget([gone])

    watched.before_vectors = forget
    again = fetch_all(prototypes, Retrieval(3))[0]
    assert gone not in again.ids
    assert len(again.ids) == 3


def test_many_texts_keep_their_prototypes_apart(watched: Watched) -> None:
    texts = [WORDS[number % len(WORDS)] for number in range(150)]
    found = fetch_all(ClassPrototypes(watched), Retrieval(2), texts)
    expected = {
        word: one.ids for word, one in zip(WORDS, fetch_all(ClassPrototypes(watched), Retrieval(2)), strict=True)
    }
    assert [one.ids for one in found] == [expected[text] for text in texts]


def test_several_threads_share_one_while_the_bank_grows(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched, entries=3)
    with ThreadPoolExecutor(3) as pool:
        fetching = [pool.submit(lambda: [fetch(prototypes) for _ in range(20)]) for _ in range(2)]
        pool.submit(lambda: [watched.add(make_prototypes(2, start=start)) for start in range(100, 200, 10)]).result()
        for one in fetching:
            one.result()
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched._store))


COORDINATES = st.sampled_from([-1.0, 0.0, 0.5, 1.0])
KEYS = st.tuples(*[COORDINATES] * 5).filter(any)
KINDS = st.tuples(KEYS, st.sampled_from(["dog", "tree frog"]), st.sampled_from([GENERATED, EXEMPLAR]))
RETRIEVALS = st.sampled_from(
    [
        Retrieval(1),
        Retrieval(4),
        Retrieval(50),
        Retrieval(4, exemplar_weight=3.0),
        Retrieval(3, origins=frozenset({EXEMPLAR}), exemplar_weight=3.0),
    ]
)
INDICES = st.lists(st.integers(0, 60), max_size=4)


class ChangingBank(RuleBasedStateMachine):
    """Whatever happens to a bank, what is kept about it equals what it answers when asked for the first time."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        self.store = EmbeddedStore.open(self.folder / "bank", "pack", 5, 7)
        self.prototypes = ClassPrototypes(self.store, entries=12)
        self.made = 0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def some(self, indices: list[int], selection: Selection = ALL) -> list[str]:
        ids = sorted(self.store.select(selection))
        return [ids[index % len(ids)] for index in indices if ids]

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=5))
    def add(self, kinds: list[tuple[tuple[float, ...], str, str]]) -> None:
        batch = []
        for key, noun, origin in kinds:
            self.made += 1
            vector = np.random.default_rng(self.made).normal(0, 10, 7).astype(np.float32)
            batch.append(
                Prototype(
                    noun=noun,
                    caption_id=f"{self.made:016x}",
                    caption="",
                    spans=(),
                    seed=0,
                    key=np.array(key, dtype=np.float32),
                    vector=vector,
                    mask_area=0.5,
                    contrast=0.5,
                    image_text_score=0.5,
                    pack="pack",
                    origin=origin,
                )
            )
        assert self.store.add(batch) == len({point_id(prototype) for prototype in batch})

    @rule(indices=INDICES)
    def forget(self, indices: list[int]) -> None:
        self.store.forget(self.some(indices))

    @rule(indices=INDICES)
    def mark(self, indices: list[int]) -> None:
        self.store.mark(dict.fromkeys(self.some(indices), "an outlier"))

    @rule(indices=INDICES)
    def unmark(self, indices: list[int]) -> None:
        self.store.unmark(self.some(indices, Selection(outlier=True)))

    @rule(texts=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), retrieval=RETRIEVALS)
    def fetch(self, texts: list[str], retrieval: Retrieval) -> None:
        try:
            expected = fresh(self.store, texts, retrieval)
        except InputError as error:
            with pytest.raises(InputError, match=f"^{error}$"):
                fetch(self.prototypes, texts, retrieval)
            return
        np.testing.assert_array_equal(fetch(self.prototypes, texts, retrieval), expected)


TestChangingBank = ChangingBank.TestCase
TestChangingBank.settings = settings(derandomize=True, deadline=None, max_examples=40, stateful_step_count=30)
