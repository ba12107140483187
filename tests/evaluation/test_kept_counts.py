import errno
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.evaluation import KeptCounts, kept_counts

IDENTITY = {"dataset": "voc20", "parameters": {"beta": 0.7, "dilations": (1, 2)}, "classes": ["a", "b"]}


def test_counts_come_back_as_they_were_kept(tmp_path: Path) -> None:
    counts = np.array([[5, 0, 2], [0, 0, 0], [0, 9, 1]], dtype=np.int64)
    KeptCounts(tmp_path / "out", IDENTITY).keep("munich/munich_1", counts)
    again = KeptCounts(tmp_path / "out", IDENTITY)
    found = again.find("munich/munich_1", 3)
    assert found is not None
    assert np.array_equal(found, counts)
    assert again.find("munich/munich_2", 3) is None


def test_an_image_without_any_counted_pixel_is_done_all_the_same(tmp_path: Path) -> None:
    kept = KeptCounts(tmp_path, IDENTITY)
    kept.keep("a", np.zeros((3, 3), dtype=np.int64))
    found = kept.find("a", 3)
    assert found is not None
    assert not found.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "voc21"}, r'another dataset \("voc20", now "voc21"\)'),
        ({"parameters": {"beta": 0.8, "dilations": (1, 2)}}, r"another parameters.beta \(0.7, now 0.8\)"),
        ({"more": 1}, r"another more \(null, now 1\)"),
    ],
)
def test_another_evaluation_goes_to_another_folder(tmp_path: Path, change: dict[str, object], message: str) -> None:
    KeptCounts(tmp_path, IDENTITY)
    with pytest.raises(InputError, match=f"{message}; name another folder with --out"):
        KeptCounts(tmp_path, {**IDENTITY, **change})


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("no")
    with pytest.raises(InputError, match="is not empty and holds no evaluation"):
        KeptCounts(tmp_path, IDENTITY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_evaluation_whose_beginning_was_cut_off_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(kept_counts, "write_whole", write_nothing)
        with pytest.raises(UnavailableError, match="No space left"):
            KeptCounts(tmp_path / "out", IDENTITY)
    (tmp_path / "out" / ".0123.part").write_text("of a process that was killed")
    KeptCounts(tmp_path / "out", IDENTITY).keep("a", np.ones((2, 2), dtype=np.int64))
    assert KeptCounts(tmp_path / "out", IDENTITY).find("a", 2) is not None


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_run_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(InputError, match=r"evaluation\.json .*name another folder with --out"):
        KeptCounts(tmp_path, IDENTITY)


@pytest.mark.parametrize("content", [b"", b"nothing", "of more classes", "of another shape"])
def test_damaged_counts_are_named(tmp_path: Path, content: bytes | str) -> None:
    kept = KeptCounts(tmp_path, IDENTITY)
    path = tmp_path / "counts" / "a.npy"
    if content == "of more classes":
        kept.keep("a", np.ones((9, 9), dtype=np.int64))
    elif content == "of another shape":
        np.save(path, np.ones(4))
    else:
        assert isinstance(content, bytes)
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"the counts .*/a\.npy are damaged .*; remove the file"):
        kept.find("a", 3)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match=r"cannot be written: .*; name another with --out"):
        KeptCounts(tmp_path / "file" / "out", IDENTITY)
    kept = KeptCounts(tmp_path / "out", IDENTITY)
    (tmp_path / "out" / "counts" / "a").write_text("")
    with pytest.raises(UnavailableError, match="cannot be written"):
        kept.keep("a/b", np.ones((2, 2), dtype=np.int64))
