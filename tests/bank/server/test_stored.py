import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.bank import point_id
from freeda_svc.bank.server import stored
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=arrays.arrays(np.float32, (9, 40), elements=st.floats(-1, 1, width=32)).filter(lambda k: k.any(axis=1).all()),
    vectors=arrays.arrays(np.float32, (9, 60), elements=st.floats(-60000, 60000, width=32)),
    noun=st.text(max_size=200),
)
def test_no_request_is_larger_than_allowed(
    make_prototypes: MakePrototypes, keys: np.ndarray, vectors: np.ndarray, noun: str
) -> None:
    prototypes = {point_id(p): p for p in make_prototypes(keys=keys, vectors=vectors, nouns=[noun])}
    allowed = 10_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "_BYTES_A_REQUEST", allowed)
        requests = list(stored.in_requests(stored.make_points(prototypes)))
    assert [point.id for points in requests for point in points] == list(prototypes)
    assert len(requests) > 1
    for points in requests:
        body = json.dumps([point.model_dump() for point in points], ensure_ascii=False).encode()
        assert len(body) <= allowed


def test_a_point_that_is_larger_than_a_request_goes_by_itself(
    make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_BYTES_A_REQUEST", 1)
    prototypes = {point_id(p): p for p in make_prototypes(3)}
    assert [len(points) for points in stored.in_requests(stored.make_points(prototypes))] == [1, 1, 1]


def test_only_canonical_identifiers_can_be_ids_of_points() -> None:
    good = "5f2d6c1e-6f0b-5c53-9d2e-8f5c54f3b7a1"
    assert stored.possible_ids([good, good.upper(), good.replace("-", ""), f"{{{good}}}", "x", "", "7", good]) == [good]


def test_prototypes_are_rounded_to_half_precision_before_they_are_sent(make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1)
    (point,) = stored.make_points({point_id(prototype): prototype})
    assert point.vector["prototype"] == prototype.vector.astype(np.float16).astype(np.float64).tolist()
