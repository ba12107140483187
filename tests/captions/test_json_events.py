import json
from io import BufferedReader, BytesIO
from math import isfinite

import ijson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.captions.json_events import NumbersOnly, describe_fault, json_events, plain

TEXTS = st.text(st.sampled_from('NaInfity-\\"{}[],: é\U0001f600\n'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


class Pieces:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = BytesIO(content), size

    @property
    def position(self) -> int:
        return self._content.tell()

    def read(self, _size: int) -> bytes:
        return self._content.read(self._size)


def without_no_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_no_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_no_numbers(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def read_all(stream: NumbersOnly) -> bytes:
    parts = []
    while part := stream.read(5):
        parts.append(part)
    return b"".join(parts)


@given(VALUES, st.integers(1, 40), st.booleans())
@settings(derandomize=True, deadline=None)
def test_only_what_is_no_number_is_replaced_wherever_the_blocks_end(value: object, size: int, ascii_only: bool) -> None:
    content = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert json.loads(read_all(NumbersOnly(Pieces(content, size)))) == without_no_numbers(value)


@given(st.binary(max_size=60), st.integers(1, 7))
@settings(derandomize=True, deadline=None)
def test_what_holds_no_such_word_is_left_as_it_is(content: bytes, size: int) -> None:
    content = content.replace(b"NaN", b"").replace(b"Infinity", b"")
    if b"NaN" not in content and b"Infinity" not in content:
        assert read_all(NumbersOnly(Pieces(content, size))) == content


def test_integers_are_exact_whatever_their_length_and_other_numbers_floats() -> None:
    content = b"[123456789012345678901234567890, -18446744073709551615, 0.1, 1e400, NaN, -Infinity, 3]"
    values = [plain(value) for event, value in json_events(BufferedReader(BytesIO(content))) if "array" not in event]
    assert values == [123456789012345678901234567890, -18446744073709551615, 0.1, float("inf"), None, None, 3]
    assert [type(value) for value in values] == [int, int, float, float, type(None), type(None), int]


@pytest.mark.parametrize("content", [b"", b"[NaN", b"[nan]", b"[Inf]", b'["Na', b"{NaN: 1}", b"[NaNNaN]"])
def test_invalid_json_is_refused(content: bytes) -> None:
    with pytest.raises(ijson.JSONError):
        list(json_events(BufferedReader(BytesIO(content))))


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"[1, }", b"[", "[ü]".encode("latin-1")])
def test_what_is_wrong_is_said_in_one_line(content: bytes) -> None:
    with pytest.raises(ijson.JSONError) as caught:
        list(json_events(BufferedReader(BytesIO(content))))
    said = describe_fault(caught.value)
    assert said.isprintable()
    assert "error" in said


@pytest.mark.parametrize("before", [0, 70_000, (1 << 16) - 100])
def test_numbers_that_python_does_not_convert_are_refused(before: int) -> None:
    def events(digits: int) -> list[object]:
        content = b'{"a": "' + b"x" * before + b'", "b": ' + b"9" * digits + b"}"
        return [value for event, value in json_events(BufferedReader(BytesIO(content))) if event == "number"]

    assert events(4299) == [10**4299 - 1]
    with pytest.raises(ijson.JSONError, match="a number of 4,300 digits or more"):
        events(4300)


def test_a_text_without_an_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeda_svc.captions.json_events.LONGEST_TEXT", 1000)
    content = b'["' + b"a" * 400_000 + b'"]'
    read = Pieces(content, 100)
    with pytest.raises(ijson.JSONError, match="a text takes more than 1,000 bytes"):
        read_all(NumbersOnly(read))
    assert read.position < 2000
    assert read_all(NumbersOnly(Pieces(b'["' + b"a" * 900 + b'"]', 100)))
