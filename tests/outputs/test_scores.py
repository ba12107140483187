from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.outputs.scores import keep_scores, read_kept_scores, write_score_arrays, write_score_image

SCORES = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.floats(-1, 1, width=32),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(SCORES)
def test_kept_scores_come_back_to_a_fifty_thousandth(
    tmp_path_factory: pytest.TempPathFactory, scores: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / "kept.png"
    keep_scores(path, scores)
    read = read_kept_scores(path)
    assert read.dtype == np.float32
    assert np.abs(read - scores).max() <= 2e-5


def test_a_score_image_is_grey_with_sixteen_bits(tmp_path: Path) -> None:
    write_score_image(
        tmp_path / "scores.png", np.array([[0, 0.25, 0.5, 1], [-0.5, 1.5, np.nan, 1e-9]], dtype=np.float32)
    )
    with Image.open(tmp_path / "scores.png") as image:
        assert image.mode == "I;16"
        assert np.asarray(image).tolist() == [[0, 16384, 32768, 65535], [0, 65535, 0, 0]]


def test_arrays_are_read_without_trusting_them(tmp_path: Path) -> None:
    given_arrays = {"scores": np.eye(3, dtype=np.float32), "categories": np.array(["ball", "собака"])}
    write_score_arrays(tmp_path / "scores.npz", given_arrays)
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as read:
        assert sorted(read.files) == ["categories", "scores"]
        assert all(np.array_equal(read[name], array) for name, array in given_arrays.items())


def test_damaged_scores_are_one_line(tmp_path: Path) -> None:
    keep_scores(tmp_path / "kept.png", np.zeros((50, 50), dtype=np.float32))
    (tmp_path / "kept.png").write_bytes((tmp_path / "kept.png").read_bytes()[:40])
    with pytest.raises(InputError, match="cannot be read"):
        read_kept_scores(tmp_path / "kept.png")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_score_image(tmp_path / "scores.tif", np.zeros((2, 2), dtype=np.float32))
    with pytest.raises(InputError, match=r"must end in \.npz"):
        write_score_arrays(tmp_path / "scores.npy", {})
