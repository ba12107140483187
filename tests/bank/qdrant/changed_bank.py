"""Reading everything a bank of `changing_process`'s batches holds, in every way there is."""

from collections import Counter

import numpy as np

from freeda_svc.bank import ALL, PrototypeStore, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from tests.bank.qdrant.changing_process import KEY_DIMENSION, VECTOR_DIMENSION, expect, make_batch

Reasons = dict[str, str]
"""Why prototypes are marked (empty: not marked), by their ids."""

QUERY = unit_rows(np.random.default_rng(0).normal(size=(1, KEY_DIMENSION)).astype(np.float32))
VECTOR = unit_rows(np.random.default_rng(1).normal(size=(1, VECTOR_DIMENSION)).astype(np.float32))
VECTOR = VECTOR.astype(np.float16).astype(np.float32)  # what can be compared exactly


def read_all(store: PrototypeStore) -> Reasons:
    """What a bank holds; all ways to read it must agree, and with what was added."""
    ids = store.select(ALL)
    assert len(set(ids)) == len(ids) == store.count()
    scanned = [prototype for some in store.scan() for prototype in some]
    assert [point_id(prototype) for prototype in scanned] == ids
    batches = [make_batch(number) for number in {prototype.seed for prototype in scanned}]
    added = {point_id(prototype): prototype for batch in batches for prototype in batch}
    wanted = [added[identifier] for identifier in ids]
    assert [(p.noun, p.caption, p.job) for p in scanned] == [(p.noun, p.caption, p.job) for p in wanted]
    assert store.nouns() == dict(sorted(Counter(prototype.noun for prototype in wanted).items()))
    reasons = {identifier: found.outlier for identifier, found in zip(ids, scanned, strict=True)}
    assert store.count(Selection(outlier=True)) == sum(map(bool, reasons.values()))
    if not ids:
        return {}
    keys = unit_rows(np.stack([p.key for p in wanted]))
    vectors = np.stack([p.vector for p in wanted]).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(np.stack([p.key for p in scanned]), keys)
    np.testing.assert_array_equal(np.stack([p.vector for p in scanned]), vectors)
    np.testing.assert_array_equal(store.vectors(ids), vectors)
    for found, original in zip(scanned, wanted, strict=True):
        assert (found.appearance is None) == (original.appearance is None)
        if found.appearance is not None and original.appearance is not None:
            np.testing.assert_array_equal(found.appearance, original.appearance.astype(np.float16).astype(np.float32))
    visible = sorted(identifier for identifier, reason in reasons.items() if not reason)
    for (neighbours,), rows, query in (
        (store.nearest(QUERY, len(ids) + 3), keys, QUERY[0]),
        (store.nearest_prototypes(VECTOR, len(ids) + 3), vectors, VECTOR[0]),
    ):
        assert sorted(neighbours.ids) == visible
        places = [ids.index(identifier) for identifier in neighbours.ids]
        np.testing.assert_allclose(neighbours.scores, rows[places] @ query, rtol=1e-5, atol=2e-6)
        assert (np.diff(neighbours.scores) <= 0).all()
        assert list(neighbours.nouns) == [wanted[place].noun for place in places]
    return reasons


def expect_all(*changes: tuple[str, int]) -> Reasons:
    """What an empty bank holds after some changes."""
    reasons: Reasons = {}
    for change in changes:
        reasons = expect(reasons, change)
    return reasons
