import json
from io import BufferedReader, BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.captions.annotations import DEEPEST, coco_rows
from freeda_svc.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def rows_of(content: bytes) -> list[tuple[str, object]]:
    return list(coco_rows(BufferedReader(BytesIO(content)), "a.json", {"images", "annotations"}))


@given(st.dictionaries(st.sampled_from(["images", "annotations", "info", "x"]), VALUES))
@settings(derandomize=True, deadline=None)
def test_rows_are_the_elements_of_the_named_lists(content: dict[str, object]) -> None:
    expected = [
        (name, row)
        for name, rows in content.items()
        if name in {"images", "annotations"} and isinstance(rows, list)
        for row in rows
    ]
    assert rows_of(json.dumps(content).encode()) == expected


@pytest.mark.parametrize(
    "content", [b"[]", b"3", b'[{"images": [1]}]', b'{"x": {"images": [1]}}', b'{"images": {"a": 1}}']
)
def test_what_lies_elsewhere_is_passed_over(content: bytes) -> None:
    assert rows_of(content) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"images": [1', b"no", b'{"images": ' + b"[" * (DEEPEST + 1), b'{"x": ' + b"[" * DEEPEST]
)
def test_what_is_broken_or_too_deep_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^a\.json: not valid JSON, perhaps cut off \("):
        rows_of(content)
