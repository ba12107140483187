import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.batches import check_image
from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules, check_place

ImageFile = Callable[..., Path]


@pytest.fixture
def image_file(tmp_path: Path) -> ImageFile:
    def write(name: str) -> Path:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
        return path

    return write


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, ...]:
    """Two folders that images may be taken from; the second is a link."""
    (tmp_path / "images").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    return tmp_path / "images", tmp_path / "link"


def test_images_inside_of_an_allowed_folder_are_taken(image_file: ImageFile, roots: tuple[Path, ...]) -> None:
    check_image(image_file("deep/a.png"), InputRules(roots))
    (roots[1] / "b.png").write_bytes(image_file("b.png").read_bytes())
    check_image(roots[1] / "b.png", InputRules(roots))


def test_a_path_that_leaves_the_allowed_folders_is_refused(
    image_file: ImageFile, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    image_file("a.png").rename(outside)
    (roots[0] / "link.png").symlink_to(outside)
    (roots[0] / "folder").symlink_to(tmp_path)
    for path in (
        outside,
        roots[0] / ".." / "outside.png",
        roots[0] / "link.png",
        roots[0] / "folder" / "outside.png",
        roots[0] / ".." / "nothing.png",  # whether there is a file outside is not told
    ):
        with pytest.raises(InputError) as caught:
            check_image(path, InputRules(roots))
        assert str(caught.value) == (
            f"{path} lies outside of {roots[0]}:{roots[1]}; copy it there, or change the setting input_roots"
        )


def test_a_folder_whose_name_only_begins_like_an_allowed_one_is_outside(
    image_file: ImageFile, roots: tuple[Path, ...], tmp_path: Path
) -> None:
    image = image_file("../images-2/a.png")
    with pytest.raises(InputError, match="lies outside"):
        check_image(image, InputRules(roots))


@pytest.mark.parametrize("name", ["a\0b.png", "\udcff.png"])
def test_a_path_that_cannot_be_is_reported_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match="is not a usable path"):
        check_place(Path(name), ())


def test_a_name_in_another_encoding_is_said_to_be_one() -> None:
    with pytest.raises(InputError) as caught:
        check_place(Path(os.fsdecode(b"caf\xe9.png")), ())
    assert str(caught.value) == "'caf\\udce9.png' is not a usable path: it is not written in UTF-8; rename the file"


def test_a_link_that_goes_round_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(InputError):
        check_image(tmp_path / "a.png")


def test_a_hundred_megapixels_are_accepted(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((10_000, 10_000), dtype=bool)).save(tmp_path / "large.png")
    check_image(tmp_path / "large.png")
