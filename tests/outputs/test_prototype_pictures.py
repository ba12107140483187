"""Pictures of prototypes are made of thumbnails that may come from somebody else's bank."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import NotFoundError
from freeda_svc.outputs import compose_prototype


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    (folder / "thumbnails").mkdir(parents=True)
    Image.new("RGB", (16, 16), (200, 100, 0)).save(folder / "thumbnails" / "a.png")
    Image.fromarray(np.arange(256).reshape(16, 16) < 128).save(folder / "thumbnails" / "a.mask.png")
    Image.new("RGB", (16, 16), "black").save(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    return folder


def test_image_and_mask_stand_side_by_side(artifacts: Path) -> None:
    sheet = np.asarray(compose_prototype(artifacts, "thumbnails/a.png", "thumbnails/a.mask.png"))
    assert sheet[10, 10].tolist() == [200, 100, 0]
    assert sheet[10, -10].tolist() == [200, 100, 0]  # inside of the mask, which is the upper half
    assert sheet[-10, -10].tolist() == [50, 25, 0]


def test_nothing_outside_of_the_artifacts_is_shown(artifacts: Path) -> None:
    for name in ("../outside.png", str(artifacts.parent / "outside.png"), "link.png", "none.png"):
        with pytest.raises(NotFoundError, match="is gone or damaged: only the prototype itself is left"):
            compose_prototype(artifacts, name)
        with pytest.raises(NotFoundError):
            compose_prototype(artifacts, "thumbnails/a.png", name)
    with pytest.raises(NotFoundError, match="no picture of this prototype was kept"):
        compose_prototype(artifacts, "")


def test_a_thumbnail_of_a_format_that_starts_a_program_is_not_opened(artifacts: Path) -> None:
    (artifacts / "thumbnails" / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(NotFoundError, match="is gone or damaged") as caught:
        compose_prototype(artifacts, "thumbnails/b.png")
    assert "is a EPS file" in str(caught.value.__cause__)
