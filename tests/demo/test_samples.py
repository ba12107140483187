from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.demo.samples import EXEMPLARS, LEAST_PIXELS, PHOTOS, write_samples
from freeda_svc.errors import InputError


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "new"
    write_samples(folder)
    return folder


def test_captions_teach_everything_but_the_moon(samples: Path) -> None:
    captions = (samples / "captions.txt").read_text().splitlines()
    teaching = (samples / "moon.txt").read_text().splitlines()
    assert (len(set(captions)), len(set(teaching))) == (240, 24)
    assert not any("moon" in caption.split() for caption in captions)
    assert all("moon" in caption.split() for caption in teaching)
    assert all(sum(noun in caption.split() for caption in captions) >= 20 for noun in ("boat", "ball", "sky", "sand"))


def test_pictures_are_small_scenes_and_masks_mark_a_part(samples: Path) -> None:
    photos = sorted((samples / "photos").iterdir())
    assert len(photos) == PHOTOS
    for path in photos:
        with Image.open(path) as photo:
            assert (photo.mode, photo.size) == ("RGB", (64, 64))
    for number in range(1, EXEMPLARS + 1):
        mask = np.asarray(Image.open(samples / "moon" / f"{number}-mask.png"))
        picture = np.asarray(Image.open(samples / "moon" / f"{number}.png")).astype(float)
        assert mask.shape == picture.shape[:2]
        assert LEAST_PIXELS <= np.count_nonzero(mask) < mask.size / 4
        assert np.linalg.norm(picture[mask > 0].mean(0) - picture[mask == 0].mean(0)) > 20  # the moon is not the sky


def test_writing_again_changes_nothing_and_foreign_files_stay(samples: Path, tmp_path: Path) -> None:
    assert sorted(write_samples(samples)) == sorted(path for path in samples.rglob("*") if path.is_file())
    (tmp_path / "moon.txt").write_text("mine\n")
    with pytest.raises(InputError, match=r"moon\.txt is there already and is not the sample; name another folder"):
        write_samples(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["moon.txt"]
    (tmp_path / "file").write_text("no folder\n")
    with pytest.raises(InputError, match="cannot be written"):
        write_samples(tmp_path / "file")
