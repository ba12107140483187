"""Banks that packs with other generators and the same encoders fill together."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.bank.points import make_payload, point_id, read_prototype
from freeda_svc.errors import InputError
from freeda_svc.prototypes import Prototype
from tests.made_prototypes import make_prototype

ENCODERS, FIRST, SECOND = "e" * 16, "1" * 16, "2" * 16
DIMENSIONS = (5, 7)


def drawn(pack: str, generator: str, *, encoders: str = ENCODERS) -> Prototype:
    noise = np.random.default_rng(int(pack[0], 16))
    key, vector = (noise.normal(size=size).astype(np.float32) for size in DIMENSIONS)
    return make_prototype("dog", key=key, vector=vector, pack=pack, encoders=encoders, generator=generator)


@pytest.fixture
def open_bank(tmp_path: Path) -> Iterator[Callable[[str], PrototypeStore]]:
    stores: list[PrototypeStore] = []

    def open_(pack: str) -> PrototypeStore:
        stores.append(make_or_open_folder(tmp_path / str(len(stores)), pack, *DIMENSIONS))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def held(store: PrototypeStore) -> list[Prototype]:
    return [one for page in store.scan() for one in page]


def test_two_generators_fill_one_bank_and_each_prototype_tells_which_drew_it(
    open_bank: Callable[[str], PrototypeStore],
) -> None:
    store = open_bank(ENCODERS)
    assert store.add([drawn(FIRST, "painter"), drawn(SECOND, "someone/other-painter")]) == 2
    assert store.add([drawn(SECOND, "someone/other-painter")]) == 0  # done twice, it adds nothing
    assert {(one.pack, one.generator) for one in held(store)} == {
        (FIRST, "painter"),
        (SECOND, "someone/other-painter"),
    }
    assert {one.encoders for one in held(store)} == {ENCODERS}


def test_other_encoders_are_refused(open_bank: Callable[[str], PrototypeStore]) -> None:
    store = open_bank(ENCODERS)
    with pytest.raises(InputError, match=f"made with pack {FIRST} with the encoders {'f' * 16}, but the bank holds"):
        store.add([drawn(SECOND, "b"), drawn(FIRST, "a", encoders="f" * 16)])
    with pytest.raises(InputError, match=f"made with pack {FIRST}, but the bank holds pack {ENCODERS}"):
        store.add([drawn(FIRST, "a", encoders="")])
    assert not held(store)


def test_a_bank_of_before_takes_its_only_pack(open_bank: Callable[[str], PrototypeStore]) -> None:
    store = open_bank(FIRST)
    assert store.add([drawn(FIRST, "", encoders="")]) == 1
    assert store.add([drawn(FIRST, "painter")]) == 0  # the same work as before packs could be mixed
    with pytest.raises(InputError, match=f"made with pack {SECOND} with the encoders {ENCODERS}, but the bank holds"):
        store.add([drawn(SECOND, "other")])


def test_what_was_kept_before_is_read_with_nothing_noted() -> None:
    one = drawn(FIRST, "painter")
    payload = {key: value for key, value in make_payload(one).items() if key not in {"encoders", "generator"}}
    found = read_prototype(payload, one.key, one.vector)
    assert (found.pack, found.encoders, found.generator) == (FIRST, "", "")
    assert point_id(found) == point_id(one) == point_id(replace(one, generator="renamed"))
