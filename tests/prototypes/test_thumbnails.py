import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.thumbnails import (
    noun_slug,
    write_attribution_thumbnail,
    write_image_thumbnail,
    write_mask_thumbnail,
)


def test_an_image_is_written_whole_and_small(tmp_path: Path) -> None:
    pixels = np.full((512, 1024, 3), 200, dtype=np.uint8)
    relative = write_image_thumbnail(tmp_path, "0123456789abcdef", pixels)
    assert relative == "thumbnails/0123456789abcdef.png"
    with Image.open(tmp_path / relative) as image:
        assert (image.size, image.mode) == ((256, 128), "RGB")
        assert image.getpixel((5, 5)) == (200, 200, 200)
    assert [path.name for path in (tmp_path / "thumbnails").iterdir()] == ["0123456789abcdef.png"]


def test_a_mask_is_black_and_white(tmp_path: Path) -> None:
    mask = np.zeros((32, 48), dtype=bool)
    mask[:, 40:] = True
    relative = write_mask_thumbnail(tmp_path, "0123456789abcdef", "traffic light", mask)
    with Image.open(tmp_path / relative) as image:
        assert (np.asarray(image.convert("L")) == mask * 255).all()


def test_an_attribution_goes_from_black_to_white(tmp_path: Path) -> None:
    attribution = np.linspace(0.2, 0.4, 64, dtype=np.float32).reshape(8, 8)
    relative = write_attribution_thumbnail(tmp_path, "0123456789abcdef", "dog", attribution)
    with Image.open(tmp_path / relative) as image:
        shown = np.asarray(image).ravel()
    assert (shown[0], shown[-1]) == (0, 255)
    assert (np.diff(shown.astype(int)) > 0).all()


def test_a_flat_attribution_is_black(tmp_path: Path) -> None:
    relative = write_attribution_thumbnail(tmp_path, "0123456789abcdef", "dog", np.full((4, 4), 0.3, dtype=np.float32))
    with Image.open(tmp_path / relative) as image:
        assert not np.asarray(image).any()


def test_slugs_are_file_names_and_differ_where_nouns_differ() -> None:
    assert noun_slug("ball") == "ball"
    nouns = ["ball", "t-shirt", "t shirt", "t/shirt", "../../etc", "île", "ile", "île ", "樹", "木", "", "."]
    slugs = [noun_slug(noun) for noun in nouns]
    assert len(set(slugs)) == len(nouns)
    assert all(set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and slug for slug in slugs[:-2])


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError, match="cannot be written"):
        write_image_thumbnail(tmp_path, "0123456789abcdef", np.zeros((4, 4, 3), dtype=np.uint8))


WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
import numpy as np
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.thumbnails import write_attribution_thumbnail, write_image_thumbnail

root = Path(sys.argv[1])
random = np.random.default_rng(0)
write_image_thumbnail(root, "before", random.integers(0, 256, (64, 64, 3), dtype=np.uint8))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (
    lambda: write_image_thumbnail(root, "before", random.integers(0, 256, (256, 256, 3), dtype=np.uint8)),
    lambda: write_image_thumbnail(root, "after", random.integers(0, 256, (256, 256, 3), dtype=np.uint8)),
    lambda: write_attribution_thumbnail(root, "after", "dog", random.random((256, 256), dtype=np.float32)),
):
    try:
        write()
    except UnavailableError as error:
        print(error)
"""


def test_no_half_file_where_there_is_no_room(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    folder = tmp_path / "thumbnails"
    assert ended.stdout.splitlines() == [
        f"the thumbnail {folder / name} cannot be written: File too large"
        for name in ("before.png", "after.png", "after.dog.attribution.png")
    ]
    assert [path.name for path in folder.iterdir()] == ["before.png"]
    with Image.open(folder / "before.png") as image:
        image.load()
        assert image.size == (64, 64)
