from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore, make_or_open_folder, point_id
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype
from freeda_svc.segmentation import noun_centres
from freeda_svc.segmentation.noun_centres import KeptNounCentres

DIMENSION = 6


def prototype(noun: str, number: int, value: float) -> Prototype:
    return Prototype(
        noun=noun,
        caption_id=f"{noun}-{number}",
        caption=f"a {noun}",
        spans=(),
        seed=0,
        key=np.ones(4, dtype=np.float32),
        vector=np.full(DIMENSION, value, dtype=np.float32),
        mask_area=0.2,
        contrast=0.5,
        image_text_score=0.3,
        pack="tests",
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PrototypeStore]:
    opened = make_or_open_folder(tmp_path / "bank", "tests", 4, DIMENSION)
    yield opened
    opened.close()


class Watched:
    """A bank that notes how many prototypes are read."""

    def __init__(self, store: PrototypeStore) -> None:
        self.store = store
        self.read = 0

    def vectors(self, ids: Sequence[str]) -> np.ndarray:
        self.read += len(ids)
        return self.store.vectors(ids)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


def means(kept: KeptNounCentres) -> dict[str, float]:
    centres = kept.current()
    return dict(zip(centres.nouns, centres.vectors[:, 0].tolist(), strict=True))


def test_a_nouns_centre_is_the_mean_of_its_prototypes(store: PrototypeStore) -> None:
    store.add([prototype("cat", 0, 1), prototype("cat", 1, 3), prototype("dog", 0, 8)])
    centres = KeptNounCentres(store).current()
    assert centres.nouns == ("cat", "dog")
    assert centres.counts.tolist() == [2, 1]
    assert centres.vectors.tolist() == [[2.0] * DIMENSION, [8.0] * DIMENSION]


def test_outliers_are_left_out_and_a_noun_of_outliers_alone_is_none(store: PrototypeStore) -> None:
    outliers = [prototype("cat", 1, 100), prototype("dog", 0, 8)]
    store.add([prototype("cat", 0, 1), *outliers])
    store.mark({point_id(outlier): "looks wrong" for outlier in outliers})
    assert means(KeptNounCentres(store)) == {"cat": 1.0}


def test_as_long_as_the_bank_stays_nothing_is_read_again(store: PrototypeStore) -> None:
    store.add([prototype("cat", 0, 1)])
    watched = Watched(store)
    kept = KeptNounCentres(watched)
    assert kept.current() is kept.current()
    assert watched.read == 1


def test_growth_reads_only_the_nouns_that_grew(store: PrototypeStore) -> None:
    store.add([prototype("cat", number, 1) for number in range(5)] + [prototype("dog", 0, 8)])
    watched = Watched(store)
    kept = KeptNounCentres(watched)
    kept.current()
    watched.read = 0
    store.add([prototype("dog", 1, 10), prototype("eel", 0, 5)])
    assert means(kept) == {"cat": 1.0, "dog": 9.0, "eel": 5.0}
    assert watched.read == 3


def test_centres_follow_marked_and_removed_prototypes(store: PrototypeStore) -> None:
    first, second = prototype("cat", 0, 1), prototype("cat", 1, 3)
    store.add([first, second, prototype("dog", 0, 8)])
    kept = KeptNounCentres(store)
    assert means(kept) == {"cat": 2.0, "dog": 8.0}
    store.mark({point_id(first): "looks wrong"})
    assert means(kept) == {"cat": 3.0, "dog": 8.0}
    store.forget([point_id(second)])
    assert means(kept) == {"dog": 8.0}


def test_of_a_frequent_noun_some_prototypes_are_read_always_the_same(
    store: PrototypeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noun_centres, "PROTOTYPES_A_NOUN", 10)
    store.add([prototype("cat", number, number) for number in range(40)])
    watched = Watched(store)
    found = KeptNounCentres(watched).current()
    assert watched.read == 10
    assert found.counts.tolist() == [40]
    assert (found.vectors == KeptNounCentres(store).current().vectors).all()


def test_many_nouns_are_read_in_parts(store: PrototypeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noun_centres, "READ_AT_ONCE", 4)
    store.add([prototype(f"noun {noun}", number, noun) for noun in range(9) for number in range(3)])
    assert means(KeptNounCentres(store)) == {f"noun {noun}": float(noun) for noun in range(9)}


def test_a_bank_that_loses_prototypes_meanwhile_is_read_again(store: PrototypeStore) -> None:
    gone = prototype("cat", 1, 3)
    store.add([prototype("cat", 0, 1), gone])

    class Losing(Watched):
        def vectors(self, ids: Sequence[str]) -> np.ndarray:
            self.store.forget([point_id(gone)])
            return super().vectors(ids)

    assert means(KeptNounCentres(Losing(store))) == {"cat": 1.0}


def test_a_bank_that_never_stays_still_is_reported(store: PrototypeStore) -> None:
    store.add([prototype("cat", 0, 1)])

    class Restless(Watched):
        def vectors(self, ids: Sequence[str]) -> np.ndarray:
            raise NotFoundError("no such prototype")

    with pytest.raises(NotFoundError):
        KeptNounCentres(Restless(store)).current()


def test_an_empty_bank_says_what_to_do(store: PrototypeStore) -> None:
    with pytest.raises(InputError, match="empty: run `freeda ingest FILE` first"):
        KeptNounCentres(store).current()


def test_a_bank_without_nouns_says_what_to_do(store: PrototypeStore) -> None:
    store.add([prototype("", 0, 1)])
    with pytest.raises(InputError, match="name categories"):
        KeptNounCentres(store).current()
