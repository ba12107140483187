from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from benchmarks.segmentation_load import photos
from benchmarks.segmentation_load.dense_masks import dense_mask_labels
from benchmarks.segmentation_load.growth import Growth, write_plot
from freeda_svc.segmentation import score_window


def test_photos_come_with_the_library() -> None:
    folder = Path(data.__file__).parent
    assert all(any(folder.glob(f"{name}.*")) for name in photos.NAMES)


def test_photos_have_the_size_that_is_asked_for_and_differ() -> None:
    assert photos.photo("coffee", 37, 50).shape == (37, 50, 3)
    assert photos.photo("chelsea", 90, 20).shape == (90, 20, 3)
    many = photos.photos(12, 24)
    assert {one.shape for one in many} == {(24, 24, 3)}
    assert len({one.tobytes() for one in many}) == 12


def test_the_plain_way_gives_the_same_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    superpixels = np.zeros((40, 40), dtype=np.int32)
    for region in range(1, 30):
        top, left = rng.integers(40, size=2)
        superpixels[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = region
    superpixels = np.unique(superpixels, return_inverse=True)[1].reshape(40, 40)
    given = (
        torch.randn(6, 5, 5, generator=generator),
        torch.from_numpy(superpixels),
        torch.randn(7, 6, generator=generator),
        torch.rand(7, generator=generator),
        0.8,
    )
    scores = score_window(*given)
    assert int((scores.superpixels < 0).sum()) > 0
    assert torch.equal(dense_mask_labels(*given), scores.labels())


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    growth = Growth(
        categories={1: 10.0, 1000: 50.0}, pixels={1000: 5.0, 10**6: 70.0}, regions={50: 9.0, 900: 20.0},
        regions_dense={50: 300.0, 900: 4000.0}, encoders=2500.0,
    )  # fmt: skip
    write_plot(tmp_path / "plot.png", growth)
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300
