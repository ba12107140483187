from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank.moving import published_dimensions
from freeda_svc.errors import InputError, NotFoundError

faiss = pytest.importorskip("faiss")

Refused = Callable[..., str]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    faiss.write_index(faiss.IndexFlatIP(5), str(tmp_path / "i"))
    return tmp_path / "i"


@pytest.fixture
def prototypes(tmp_path: Path) -> Path:
    (tmp_path / "prototypes").mkdir()
    return tmp_path / "prototypes"


@pytest.mark.parametrize("shape", [(7,), (1, 7)])
def test_they_follow_from_the_index_and_the_first_file(index: Path, prototypes: Path, shape: tuple[int, ...]) -> None:
    np.save(prototypes / "2.npy", np.zeros(9, np.float32))
    np.save(prototypes / "10.npy", np.zeros(shape, np.float32))
    (prototypes / "1.txt").write_text("notes")
    assert published_dimensions(index, prototypes) == (5, 7)


@pytest.mark.parametrize("shape", [(), (0,), (2, 7), (7, 1), (1, 1, 7)])
def test_a_file_that_holds_no_prototype_is_refused(
    index: Path, prototypes: Path, refused: Refused, shape: tuple[int, ...]
) -> None:
    np.save(prototypes / "1.npy", np.zeros(shape, np.float32))
    assert "1.npy" in refused(InputError, "shape", published_dimensions, index, prototypes)


def test_what_is_missing_is_said(index: Path, prototypes: Path, refused: Refused) -> None:
    refused(InputError, "has no .npy files", published_dimensions, index, prototypes)
    refused(NotFoundError, "no faiss index", published_dimensions, index.parent / "none", prototypes)
    refused(NotFoundError, "no folder", published_dimensions, index, prototypes / "none")
    (prototypes / "1.npy").write_bytes(b"\x80\x04N.")
    refused(InputError, r"1\.npy cannot be read", published_dimensions, index, prototypes)
