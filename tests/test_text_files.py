from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc import text_files
from freeda_svc.errors import InputError
from freeda_svc.text_files import decode_text, read_text, text_lines

TEXT = "Straße am Fluß\nein Hund"
OTHERS = [
    (TEXT.encode("utf-16"), "it looks like UTF-16"),
    (b"\xfe\xff" + TEXT.encode("utf-16-be"), "it looks like UTF-16"),
    (TEXT.encode("utf-16-le"), "it looks like UTF-16"),
    (TEXT.encode("utf-16-be"), "it looks like UTF-16"),
    (TEXT.encode("utf-32"), "it looks like UTF-32"),
    (TEXT.encode("utf-32-be"), "it looks like UTF-32"),
    (TEXT.encode("utf-32-le"), "it looks like UTF-32"),
    (TEXT.encode("cp1252"), r"it looks like Windows-1252, .* \(byte df in line 1\)"),
    (b"a dog\r\na cat\ra caf\xe9\n", r"it looks like Windows-1252, .* \(byte e9 in line 3\)"),
    ("一只狗\n".encode("gbk"), r"it looks like Windows-1252, .* \(byte b9 in line 1\)"),
    ("a\nune île".encode()[:-3], r"it ends within a letter \(line 2\); is it cut off\?"),
]


def lines(content: bytes) -> Iterator[str]:
    return text_lines(BufferedReader(BytesIO(content)), "a.txt")


@pytest.mark.parametrize(("content", "message"), OTHERS)
def test_another_encoding_is_refused_by_what_it_looks_like(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    for read in (lambda: read_text(path), lambda: list(lines(content)), lambda: decode_text(content, "a.txt")):
        with pytest.raises(InputError, match=rf"a\.txt is not UTF-8 text[,:] {message}") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read_text(path) == TEXT
    assert list(lines(path.read_bytes())) == TEXT.splitlines(keepends=True)
    assert list(lines(b"\xef\xbb\xbf")) == []


def test_an_encoding_that_changes_far_into_a_text_is_reported_with_its_line() -> None:
    found = lines(b"a dog\n" * 10_000 + b"a caf\xe9\n")
    assert next(found) == "a dog\n"
    with pytest.raises(InputError, match=r"byte e9 in line 10001"):
        list(found)


def test_lines_end_in_any_of_three_ways() -> None:
    assert list(lines(b"a\nb\r\nc\rd\r\re\x0bf\xc2\x85g")) == ["a\n", "b\r\n", "c\r", "d\r", "\r", "e\x0bf\x85g"]
    content = b"x" * 8191 + b"\r\n" + b"y" * 8190 + b"\r" + b"z"  # an end that falls between two blocks
    assert [len(line) for line in lines(content)] == [8193, 8191, 1]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_lines_put_together_are_the_text(text: str) -> None:
    content = text.encode()
    try:
        outcome = "".join(lines(content))
    except InputError as error:
        outcome = str(error)
    assert outcome == text.removeprefix("\ufeff") or "it looks like UTF-" in outcome


def test_what_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="line 2: not a text file"):
        list(lines(b"a dog\na\0cat\n"))
    monkeypatch.setattr(text_files, "LONGEST_LINE", 100)
    assert len(list(lines(b"x" * 99))) == 1
    with pytest.raises(InputError, match="line 2: longer than 100 characters, so not text"):
        list(lines(b"a\n" + b"x" * 100))


def test_a_file_that_cannot_be_read_is_the_caller_s_to_tell(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing.txt")
