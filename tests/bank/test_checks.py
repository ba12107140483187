from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank.checks import check_prototypes
from freeda_svc.errors import InputError
from tests.bank.store_contract import MakePrototypes
from tests.made_prototypes import make_prototype

UNIT = np.array([0.6, 0.0, -0.8, 0.0, 0.0], dtype=np.float32)


@settings(derandomize=True, deadline=None)
@given(dimension=st.integers(1, 1200), spread=st.floats(0, 8), seed=st.integers(0, 2**32 - 1))
def test_an_appearance_of_unit_length_is_taken_also_when_it_was_rounded(
    dimension: int, spread: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=dimension) * 10.0 ** generator.uniform(-spread, 0, size=dimension)
    unit = (values / np.linalg.norm(values)).astype(np.float32)
    one = np.ones(dimension, dtype=np.float32)
    for appearance in (unit, unit.astype(np.float16).astype(np.float32), unit.astype(np.float16)):
        check_prototypes(
            [make_prototype("dog", key=one, vector=one, pack="p", appearance=appearance)], "p", dimension, dimension
        )


@pytest.mark.parametrize(
    ("appearance", "message"),
    [
        (UNIT[:4], r"its appearance has shape \(4,\), expected \(5,\)"),
        (np.float32(1), r"its appearance has shape \(\), expected \(5,\)"),
        (UNIT * np.float32(np.nan), "its appearance has values that are not finite"),
        (np.array([np.inf, 0, 0, 0, 0], dtype=np.float32), "its appearance has values that are not finite"),
        (np.zeros(5, dtype=np.float32), "its appearance has length 0, expected 1"),
        (UNIT * np.float32(1.01), "its appearance has length 1.01, expected 1"),
        (UNIT * np.float32(0.99), "its appearance has length 0.99, expected 1"),
    ],
)
def test_another_appearance_is_refused_in_one_line(
    make_prototypes: MakePrototypes, appearance: np.ndarray, message: str
) -> None:
    first, second, third = (replace(one, appearance=UNIT) for one in make_prototypes(3))
    check_prototypes([first, second, replace(third, appearance=None)], first.pack, 5, 7)
    with pytest.raises(InputError, match=f"'tree'.*0001.*{message}") as caught:
        check_prototypes([first, replace(second, appearance=appearance), third], first.pack, 5, 7)
    assert "\n" not in str(caught.value)
