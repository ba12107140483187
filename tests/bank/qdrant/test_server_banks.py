from collections.abc import Callable

import pytest
from qdrant_client import models

from freeda_svc.bank import BankName
from freeda_svc.bank.manifest import FORMAT, new_manifest
from freeda_svc.bank.qdrant.server import create_collection
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype
from tests.bank.conftest import LocalConnection

MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
FIRST, SECOND = BankName("animals", 1), BankName("animals", 2)
PLAIN = {"key": models.VectorParams(size=5, distance=models.Distance.COSINE)}


@pytest.fixture
def banks(local_connection: LocalConnection) -> ServerBanks:
    return ServerBanks(local_connection)


def test_a_version_is_a_collection_and_the_current_one_an_alias(
    banks: ServerBanks, local_connection: LocalConnection
) -> None:
    banks.create(FIRST, PACK, 5, 7)
    banks.create(SECOND, PACK, 5, 7)
    banks.switch(SECOND)
    client = local_connection.client()
    assert {c.name for c in client.get_collections().collections} == {"freeda-animals.v1", "freeda-animals.v2"}
    assert [(a.alias_name, a.collection_name) for a in client.get_aliases().aliases] == [
        ("freeda-animals", "freeda-animals.v2")
    ]


def test_other_collections_are_left_alone(banks: ServerBanks, local_connection: LocalConnection) -> None:
    client = local_connection.client()
    for name in ("animals", "freeda-animals", "freeda-animals.v0", "freeda-a.b.v1", "xfreeda-a.v1", "freeda-a.v1.bak"):
        client.create_collection(name, vectors_config=PLAIN)
    assert banks.summaries() == []
    with pytest.raises(InputError, match="has a collection freeda-animals that is no bank"):
        banks.create(FIRST, PACK, 5, 7)
    assert banks.summaries() == []


def test_installations_with_different_prefixes_do_not_meet(
    banks: ServerBanks, local_connection: LocalConnection
) -> None:
    other = ServerBanks(local_connection, prefix="other.team")
    banks.create(FIRST, PACK, 5, 7)
    other.create(SECOND, PACK, 5, 7)
    assert [str(summary.bank) for summary in banks.summaries()] == ["animals@1"]
    assert [str(summary.bank) for summary in other.summaries()] == ["animals@2"]


def test_the_first_version_is_current_even_if_its_making_was_cut_off(
    banks: ServerBanks, local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    create_collection(local_connection.client(), "freeda-animals.v1", new_manifest(PACK, 5, 7))
    banks.create(SECOND, PACK, 5, 7)
    assert banks.resolve("animals") == FIRST
    with banks.open(FIRST) as store:
        assert store.add(make_prototypes(3)) == 3
    with pytest.raises(InputError, match="current"):
        banks.drop(FIRST)
    banks.switch(SECOND)
    assert banks.resolve("animals") == SECOND


METADATA = {"format": FORMAT, "pack": "p", "key_dimension": 5, "vector_dimension": 7, "created": "2026-01-01"}
LAYOUT = {name: PLAIN["key"].model_copy(update={"size": size}) for name, size in [("key", 5), ("prototype", 7)]}
LAYOUT["appearance"] = PLAIN["key"]


@pytest.mark.parametrize(
    ("metadata", "vectors", "message"),
    [
        (None, LAYOUT, "is not a bank"),
        ({"freeda": "x"}, LAYOUT, "is not a bank"),
        ({"freeda": {**METADATA, "format": 99}}, LAYOUT, "format 99.*use a newer freeda"),
        ({"freeda": {**METADATA, "format": FORMAT - 1}}, LAYOUT, "of the old kind.*bank export.*bank import"),
        (
            {"freeda": {**METADATA, "key_dimension": "5"}},
            LAYOUT,
            "key_dimension: .* valid integer",
        ),
        ({"freeda": {k: v for k, v in METADATA.items() if k != "pack"}}, LAYOUT, "pack: Field required"),
        ({"freeda": METADATA}, PLAIN, "has another layout.*'key': 5.*expected"),
        ({"freeda": METADATA}, {**LAYOUT, "prototype": PLAIN["key"]}, "has another layout.*'prototype': 5.*expected"),
    ],
    ids=range(8),
)
def test_a_collection_that_is_no_bank_of_this_version_is_refused_listed_and_can_be_dropped(
    banks: ServerBanks,
    local_connection: LocalConnection,
    metadata: dict[str, object] | None,
    vectors: dict[str, models.VectorParams],
    message: str,
) -> None:
    banks.create(FIRST, PACK, 5, 7)
    local_connection.client().create_collection("freeda-animals.v2", vectors_config=vectors, metadata=metadata)
    with pytest.raises(InputError, match=message) as caught:
        banks.open(SECOND)
    assert "\n" not in str(caught.value)
    first, second = banks.summaries()
    assert (first.bank, first.current, first.pack, first.fault) == (FIRST, True, PACK, "")
    assert (second.bank, second.current, second.pack) == (SECOND, False, "")
    assert second.fault == str(caught.value)
    banks.drop(SECOND)
    assert [summary.bank for summary in banks.summaries()] == [FIRST]


def test_a_collection_that_is_there_is_a_bank(banks: ServerBanks, local_connection: LocalConnection) -> None:
    metadata = {"freeda": METADATA}
    local_connection.client().create_collection("freeda-animals.v2", vectors_config=LAYOUT, metadata=metadata)
    with banks.open(SECOND) as store:
        assert (store.pack, store.key_dimension, store.vector_dimension, store.count()) == ("p", 5, 7, 0)
