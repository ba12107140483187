from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank.moving import look_at_published
from freeda_svc.errors import InputError, NotFoundError

faiss = pytest.importorskip("faiss")

Refused = Callable[..., str]


@pytest.fixture
def make_index(tmp_path: Path) -> Callable[[int], Path]:
    def make(count: int) -> Path:
        index = faiss.IndexFlatIP(5)
        index.add(np.ones((count, 5), np.float32))
        faiss.write_index(index, str(tmp_path / "i"))
        return tmp_path / "i"

    return make


@pytest.fixture
def index(make_index: Callable[[int], Path]) -> Path:
    return make_index(1)


@pytest.fixture
def prototypes(tmp_path: Path) -> Path:
    (tmp_path / "prototypes").mkdir()
    return tmp_path / "prototypes"


@pytest.mark.parametrize("shape", [(7,), (1, 7)])
def test_dimensions_follow_from_the_index_and_the_first_file(
    make_index: Callable[[int], Path], prototypes: Path, shape: tuple[int, ...]
) -> None:
    index = make_index(2)
    np.save(prototypes / "2.npy", np.zeros(9, np.float32))
    np.save(prototypes / "10.npy", np.zeros(shape, np.float32))
    (prototypes / "1.txt").write_text("notes")
    assert look_at_published(index, prototypes) == (5, 7, 2)


@pytest.mark.parametrize("shape", [(), (0,), (2, 7), (7, 1), (1, 1, 7)])
def test_a_file_that_holds_no_prototype_is_refused(
    index: Path, prototypes: Path, refused: Refused, shape: tuple[int, ...]
) -> None:
    np.save(prototypes / "1.npy", np.zeros(shape, np.float32))
    assert "1.npy" in refused(InputError, "shape", look_at_published, index, prototypes)


def test_what_is_missing_is_said(
    make_index: Callable[[int], Path], index: Path, prototypes: Path, refused: Refused
) -> None:
    refused(InputError, "has 1 key, but .* has 0", look_at_published, index, prototypes)
    refused(InputError, "has no .npy files", look_at_published, make_index(0), prototypes)
    make_index(1)
    np.save(prototypes / "1.npy", np.zeros(7, np.float32))
    np.save(prototypes / "2.npy", np.zeros(7, np.float32))
    refused(InputError, "has 1 key, but .* has 2", look_at_published, index, prototypes)
    (prototypes / "2.npy").unlink()
    refused(NotFoundError, "no faiss index", look_at_published, index.parent / "none", prototypes)
    refused(NotFoundError, "no folder", look_at_published, index, prototypes / "none")
    (prototypes / "1.npy").write_bytes(b"\x80\x04N.")
    refused(InputError, r"1\.npy cannot be read", look_at_published, index, prototypes)
