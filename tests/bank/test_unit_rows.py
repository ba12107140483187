import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.bank.checks import unit_rows


@settings(derandomize=True, deadline=None)
@given(dimension=st.integers(1, 800), exponent=st.floats(-30, 30), seed=st.integers(0, 2**32 - 1))
def test_rows_get_length_one_and_then_stay_as_they_are(dimension: int, exponent: float, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(5, dimension)) * 10.0**exponent
    rows = rows.astype(np.float32)
    once = unit_rows(rows)
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(once, wide / np.linalg.norm(wide, axis=1, keepdims=True), rtol=1e-7, atol=1e-30)
    assert once.dtype == np.float32
    np.testing.assert_array_equal(unit_rows(once), once)


def test_a_row_that_is_not_quite_of_length_one_is_scaled() -> None:
    row = np.array([[0.6, 0.8]], dtype=np.float32)
    longer = row * np.float32(1.00001)
    np.testing.assert_allclose(unit_rows(longer), row, rtol=1e-6)
    assert (unit_rows(longer) != longer).any()
