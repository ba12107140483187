"""A file is there whole or as it was before."""

from pathlib import Path

import pytest

from freeda_svc.whole_files import CHUNK_BYTES, copy_file, placed_whole, write_whole


def test_content_is_put_in_place(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"new")]


def test_nothing_shows_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with placed_whole(target) as aside:
        aside.write_bytes(b"new")
        assert aside.parent == tmp_path
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail_half_way() -> None:
        with placed_whole(target) as aside:
            aside.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a", b"new")


@pytest.mark.parametrize(
    "content", [b"", b"x", bytes(3 * CHUNK_BYTES), b"x" + bytes(2 * CHUNK_BYTES) + b"y", b"x" * CHUNK_BYTES]
)
def test_a_copy_keeps_the_holes_of_a_sparse_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source").write_bytes(content)
    copy_file(tmp_path / "source", tmp_path / "new" / "target")
    assert (tmp_path / "new" / "target").read_bytes() == content
    chunks = [content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES)]
    most = CHUNK_BYTES * sum(any(chunk) for chunk in chunks) + 8192
    assert (tmp_path / "new" / "target").stat().st_blocks * 512 <= most
