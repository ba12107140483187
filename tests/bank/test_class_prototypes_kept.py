"""Class prototypes that are kept while the bank changes: never another answer than when asked anew."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from freeda_svc.bank import ALL, Selection, make_or_open_folder
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval
from freeda_svc.bank.points import point_id
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import EXEMPLAR, GENERATED, Prototype
from tests.bank.watched_store import (
    TEMPLATES,
    WORDS,
    Array,
    MakePrototypes,
    MakeStore,
    Watched,
    embed,
    fetch,
    fresh,
    near,
)


def test_what_was_fetched_before_is_neither_embedded_nor_retrieved_again(watched: Watched) -> None:
    embedded: list[str] = []

    def embed_and_tell(texts: Sequence[str]) -> Array:
        embedded.extend(texts)
        return embed(texts)

    prototypes = ClassPrototypes(watched)
    for texts in (["dog", "cat"], ["cat", "dog"], ["tree", "dog"]):
        means = prototypes.fetch(texts, embed_and_tell, Retrieval(3), templates=TEMPLATES)
        np.testing.assert_array_equal(means, fresh(watched.store, texts))
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
    version = watched.revision()
    watched.add(near("dog", make_prototypes, start=100, number=2))
    after = fetch(prototypes)
    assert watched.asked == [(4, None), (4, version)]
    np.testing.assert_array_equal(after, fresh(watched.store))
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
    np.testing.assert_array_equal(after, fresh(watched.store))
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
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched.store))


def test_what_is_added_after_the_bank_answered_is_looked_at_later(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes)
    watched.add(near("dog", make_prototypes, start=100))
    watched.before_vectors = lambda: watched.add(near("dog", make_prototypes, start=200))
    fetch(prototypes)
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched.store))


def test_what_is_removed_while_the_mean_is_updated_takes_no_part(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes, ["dog"])
    watched.add(near("dog", make_prototypes, start=100))
    watched.before_vectors = lambda: watched.forget(watched.nearest(embed(["dog"]), 1)[0].ids)
    np.testing.assert_array_equal(fetch(prototypes, ["dog"]), fresh(watched.store, ["dog"]))
    np.testing.assert_array_equal(fetch(prototypes, ["dog"]), fresh(watched.store, ["dog"]))


def test_an_engine_may_answer_with_older_ones_too(
    watched: Watched, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    prototypes = ClassPrototypes(watched)
    fetch(prototypes)
    nearest = watched.nearest
    monkeypatch.setattr(watched, "nearest", lambda queries, k, *, origins, since: nearest(queries, k, origins=origins))
    watched.add(near("dog", make_prototypes, start=100))
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched.store))


def test_more_texts_than_are_kept_are_all_answered(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched, entries=2)
    for start in (100, 200):
        np.testing.assert_array_equal(fetch(prototypes), fresh(watched.store))
        watched.add(near("cat", make_prototypes, start=start))


def test_several_threads_share_one_while_the_bank_grows(watched: Watched, make_prototypes: MakePrototypes) -> None:
    prototypes = ClassPrototypes(watched, entries=3)
    with ThreadPoolExecutor(3) as pool:
        fetching = [pool.submit(lambda: [fetch(prototypes) for _ in range(20)]) for _ in range(2)]
        pool.submit(lambda: [watched.add(make_prototypes(2, start=start)) for start in range(100, 200, 10)]).result()
        for one in fetching:
            one.result()
    np.testing.assert_array_equal(fetch(prototypes), fresh(watched.store))


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
        self.store = make_or_open_folder(self.folder / "bank", "pack", 5, 7)
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
