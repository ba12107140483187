from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from freeda_svc.errors import InputError
from freeda_svc.images.orientation import DrawnOn
from freeda_svc.prototypes.exemplar_files import MarkedImage, read_marked_images

ORIENTATION = 0x0112


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def box(top: int = 5) -> np.ndarray:
    mask = np.zeros((40, 60), dtype=np.uint8)
    mask[top : top + 10, 20:30] = 1
    return mask


def test_images_and_masks_go_together_in_their_order(tmp_path: Path) -> None:
    images = [saved(tmp_path / f"{number}.png", photo(number)) for number in range(3)]
    masks = [saved(tmp_path / f"{number}-mask.png", box(number)) for number in range(3)]
    found = list(read_marked_images("Moon", images, masks, "a night"))
    assert [one.image for one in found] == images
    for number, one in enumerate(found):
        exemplar = one.exemplar()
        assert (exemplar.noun, exemplar.caption) == ("moon", "a night")
        assert np.array_equal(exemplar.pixels, photo(number))
        assert np.array_equal(exemplar.mask, box(number) == 1)


def test_a_mask_fits_the_image_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # taken with the camera turned, and marked upright
    image = saved(tmp_path / "a.png", photo(), exif=exif)
    mask = saved(tmp_path / "b.png", np.rot90(box(), k=-1).copy())
    [found] = read_marked_images("moon", [image], [mask])
    assert np.array_equal(found.exemplar().pixels[found.mask], np.rot90(photo(), k=-1)[np.rot90(box() == 1, k=-1)])
    turned = saved(tmp_path / "c.png", box(), exif=exif)
    [found] = read_marked_images("moon", [image], [turned])
    assert np.array_equal(found.mask, np.rot90(box() == 1, k=-1))


@pytest.mark.parametrize("drawn_on", [None, "stored", "upright"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_mask_that_is_turned_as_its_image_needs_no_word(
    tmp_path: Path, orientation: int, drawn_on: DrawnOn | None
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image, mask = saved(tmp_path / "a.png", photo(), exif=exif), saved(tmp_path / "m.png", box(), exif=exif)
    [found] = read_marked_images("moon", [image], [mask], drawn_on=drawn_on)
    assert np.array_equal(found.mask, np.rot90(box() == 1, k=2 if orientation == 3 else -1))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_nobody_guesses_on_what_a_mask_was_drawn(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = saved(tmp_path / "a.png", photo(), exif=exif)
    mask = saved(tmp_path / "m.png", box())
    with pytest.raises(InputError, match=rf"a\.png has the EXIF orientation {orientation}, .* the mask .*m\.png was"):
        list(read_marked_images("moon", [image], [mask]))
    [found] = read_marked_images("moon", [image], [mask], drawn_on="stored")
    with Image.open(saved(tmp_path / "c.png", box(), exif=exif)) as turned:
        assert np.array_equal(found.mask, np.asarray(ImageOps.exif_transpose(turned)) == 1)
    if orientation < 5:
        [found] = read_marked_images("moon", [image], [mask], drawn_on="upright")
        assert np.array_equal(found.mask, box() == 1)


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        ([], [], "no images were given"),
        (["a.png"], ["m.png", "m.png"], "1 image and 2 masks were given"),
        (["a.png", "a.png"], ["m.png"], "2 images and 1 mask were given"),
        (["none.png"], ["m.png"], "no such image file: {}/none.png"),
        (["text.png"], ["m.png"], "{}/text.png is not an image"),
        (["a.png"], ["none.png"], "no such image file: {}/none.png"),
        (["a.png"], ["text.png"], "{}/text.png is not an image"),
        (["a.png"], ["empty.png"], "the mask {}/empty.png is empty"),
        (["a.png"], ["tall.png"], "the mask {}/tall.png is 40 x 60 pixels, but its image {}/a.png 60 x 40"),
        (["m.png"], ["a.png"], "the mask {}/a.png has more than 256 colours"),
    ],
)
def test_what_does_not_go_together_is_reported_in_a_line(
    tmp_path: Path, images: list[str], masks: list[str], message: str
) -> None:
    saved(tmp_path / "a.png", photo())
    saved(tmp_path / "m.png", box())
    saved(tmp_path / "empty.png", box() * 0)
    saved(tmp_path / "tall.png", box().T.copy())
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError) as caught:
        list(read_marked_images("moon", [tmp_path / name for name in images], [tmp_path / name for name in masks]))
    assert message.replace("{}", str(tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_noun_and_caption_are_checked_before_files_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="noun is empty"):
        list(read_marked_images("  ", [tmp_path / "none.png"], [tmp_path / "none.png"]))
    with pytest.raises(InputError, match="the caption has 1200 characters"):
        list(read_marked_images("moon", [tmp_path / "none.png"], [tmp_path / "none.png"], "moon" * 300))


def test_an_image_that_changed_since_is_refused(tmp_path: Path) -> None:
    image = saved(tmp_path / "a.png", photo())
    marked = MarkedImage("moon", image, box() == 1, "a moon")
    saved(image, photo()[:20])
    with pytest.raises(InputError, match=r"a\.png: the mask is 60 x 40 pixels, but its image 60 x 20"):
        marked.exemplar()
    image.unlink()
    with pytest.raises(InputError, match="no such image file"):
        marked.exemplar()


def test_what_is_transparent_in_an_image_belongs_to_no_object(tmp_path: Path) -> None:
    alpha = np.full((40, 60), 255, dtype=np.uint8)
    alpha[:10] = 0
    image = saved(tmp_path / "a.png", np.dstack([photo(), alpha]))
    [found] = read_marked_images("moon", [image], [saved(tmp_path / "b.png", box())])
    assert np.array_equal(found.exemplar().mask, (box() == 1) & (alpha > 0))
    [gone] = read_marked_images("moon", [image], [saved(tmp_path / "c.png", box(0) * (alpha == 0))])
    with pytest.raises(InputError, match=r"a\.png: the image is transparent wherever its mask marks it"):
        gone.exemplar()


def test_a_mask_of_the_background_is_doubted(tmp_path: Path) -> None:
    image = saved(tmp_path / "a.png", photo())
    shape = Image.fromarray((box() == 1).astype(np.uint8) * 255).convert("RGB")
    white_first = Image.fromarray((box() == 0).astype(np.uint8))  # as programs write a palette that begins with white
    white_first.putpalette([255, 255, 255, 0, 0, 0])
    white_first.save(tmp_path / "inverted.gif")
    shape.save(tmp_path / "good.png")
    doubts: list[str] = []
    masks = [tmp_path / "good.png", tmp_path / "inverted.gif"]
    assert len(list(read_marked_images("moon", [image, image], masks, doubts=doubts))) == 2
    [doubt] = doubts
    assert doubt.startswith(f"the mask {tmp_path}/inverted.gif marks 96% of the image and 100% of its border; ")
