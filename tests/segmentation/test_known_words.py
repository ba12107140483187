from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from freeda_svc.bank import PrototypeStore, Selection
from freeda_svc.packs import Pack
from freeda_svc.segmentation import Category, Segmenter, parse_categories
from freeda_svc.segmentation.known_words import NEAREST_SHOWN, KnownWord
from tests.segmentation.toy_bank import NOUNS, fill_bank, make_prototypes, photo


@pytest.fixture
def store(pack: Pack, tmp_path: Path) -> Iterator[PrototypeStore]:
    """Three prototypes of each of four nouns."""
    store = fill_bank(pack, tmp_path / "bank")
    yield store
    store.close()


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store)


def known(segmenter: Segmenter, pack: Pack, text: str, **changes: object) -> list[KnownWord]:
    """What the bank knows of all words of some categories, one after the other."""
    parameters = pack.parameters.segmentation.replace(**{"k": 5, **changes})
    found = segmenter.segment(photo(), parse_categories(text), parameters)
    assert len(found.words) == len(found.categories)
    return [word for words in found.words for word in words]


def test_own_prototypes_are_counted_whatever_the_case(segmenter: Segmenter, pack: Pack) -> None:
    words = known(segmenter, pack, "ball, Tree,  SKY , zebra, red ball")
    assert [(word.text, word.prototypes) for word in words] == [
        ("ball", 3), ("Tree", 3), ("SKY", 3), ("zebra", 0), ("red ball", 0),
    ]  # fmt: skip


def test_nouns_that_stand_in_are_those_of_the_nearest_keys(
    segmenter: Segmenter, pack: Pack, store: PrototypeStore
) -> None:
    (word,) = known(segmenter, pack, "zebra")
    (nearest,) = store.nearest(pack.image_text.embed_nouns(["zebra"]).numpy(), 5)
    assert word.retrieved == 5
    assert list(word.nearest) == list(dict.fromkeys(nearest.nouns))
    assert word.nearest == {noun: nearest.nouns.count(noun) for noun in nearest.nouns}


def test_the_noun_itself_is_not_one_of_the_others(segmenter: Segmenter, pack: Pack) -> None:
    (word,) = known(segmenter, pack, "Ball", k=12)
    assert set(word.nearest) == set(NOUNS) - {"ball"}
    assert (word.retrieved, sum(word.nearest.values())) == (12, 9)


def test_synonyms_and_words_of_a_background_count_each(segmenter: Segmenter, pack: Pack) -> None:
    categories = [
        *parse_categories("tree|bush"),
        Category("pet", text="dog", prototype_text="ball", synonyms=("sky",)),
    ]
    found = segmenter.segment(photo(), categories, pack.parameters.segmentation.replace(k=5))
    counted = [[(word.text, word.prototypes) for word in words] for words in found.words]
    assert counted == [[("tree", 3), ("bush", 0)], [("ball", 3), ("sky", 3)]]


def test_what_is_not_retrieved_does_not_count(segmenter: Segmenter, pack: Pack, store: PrototypeStore) -> None:
    assert known(segmenter, pack, "tree")[0].prototypes == 3
    store.mark(dict.fromkeys(store.select(Selection(noun="tree"))[:2], "blurred"))
    assert known(segmenter, pack, "tree")[0].prototypes == 1
    store.add(make_prototypes(pack, ("tree", "ball"), seed=9, origin="exemplar"))
    assert [word.prototypes for word in known(segmenter, pack, "tree, ball")] == [2, 4]
    of_exemplars = known(segmenter, pack, "tree, sky", origins=("exemplar",))
    assert [(word.prototypes, word.retrieved) for word in of_exemplars] == [(1, 2), (0, 2)]
    store.forget(store.select(Selection(noun="tree")))
    assert known(segmenter, pack, "tree")[0].prototypes == 0


@pytest.mark.parametrize("aggregation", ["mean_embedding", "mean_similarity", "max_similarity"])
def test_it_is_reported_however_prototypes_are_joined(segmenter: Segmenter, pack: Pack, aggregation: str) -> None:
    (word,) = known(segmenter, pack, "grass", aggregation=aggregation)
    assert (word.prototypes, word.retrieved) == (3, 5)


def test_a_bank_that_stays_as_it_is_is_asked_once(segmenter: Segmenter, pack: Pack, store: PrototypeStore) -> None:
    with (
        patch.object(store, "nouns", wraps=store.nouns) as nouns,
        patch.object(store, "count", wraps=store.count) as count,
    ):
        for _ in range(3):
            known(segmenter, pack, "tree, ball, zebra")
        assert (nouns.call_count, count.call_count) == (1, 2)
        store.add(make_prototypes(pack, ("tree",), seed=10))
        assert known(segmenter, pack, "tree, ball, zebra")[0].prototypes == 4
        assert (nouns.call_count, count.call_count) == (2, 3)


def test_only_a_few_nouns_are_named(segmenter: Segmenter, pack: Pack, store: PrototypeStore) -> None:
    store.add(make_prototypes(pack, tuple(f"noun {number}" for number in range(20)), seed=11))
    (word,) = known(segmenter, pack, "zebra", k=32)
    assert len(word.nearest) == NEAREST_SHOWN
