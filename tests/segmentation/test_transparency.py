"""What is transparent in an image belongs to no category, and nothing that is told of the image comes from there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.images import load_visible
from freeda_svc.packs import Pack
from freeda_svc.parameters import RefinementParameters, SegmentationParameters, UnknownParameters
from freeda_svc.segmentation import UNKNOWN, Segmentation, Segmenter, parse_categories
from freeda_svc.segmentation.noun_centres import NounCentres
from freeda_svc.segmentation.parts import image_parts
from freeda_svc.segmentation.proposals import propose
from tests.segmentation.toy_bank import photo

CATEGORIES = parse_categories("ball, tree, grass, sky")
HEIGHT, WIDTH = 80, 109
VISIBLE = np.zeros((HEIGHT, WIDTH), dtype=bool)
VISIBLE[10:60, 20:90] = True


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store)


def cut_out(visible: np.ndarray = VISIBLE) -> np.ndarray:
    """A photo, transparent but for a part; what lies under the transparent part is not white."""
    return np.dstack([photo(HEIGHT, WIDTH), np.where(visible, 255, 0).astype(np.uint8)])


def on_paper() -> np.ndarray:
    return np.where(VISIBLE[..., None], photo(HEIGHT, WIDTH), 255).astype(np.uint8)


@pytest.mark.parametrize("superpixels", ["felzenszwalb", "none"])
def test_transparent_pixels_are_unknown_and_all_others_as_on_white(
    pack: Pack, segmenter: Segmenter, superpixels: str
) -> None:
    usual = pack.parameters.segmentation
    parameters = usual.replace(superpixels=usual.superpixels.replace(algorithm=superpixels))  # type: ignore[arg-type]
    found = segmenter.segment(cut_out(), CATEGORIES, parameters)
    expected = segmenter.segment(on_paper(), CATEGORIES, parameters)
    assert np.array_equal(found.labels, np.where(VISIBLE, expected.labels, UNKNOWN))
    assert found.pixel_scores is not None
    assert expected.pixel_scores is not None
    assert np.array_equal(found.pixel_scores, np.where(VISIBLE, expected.pixel_scores, 0))
    assert found.transparent_share == found.unknown_share == pytest.approx(1 - VISIBLE.mean())
    assert sum(score.area_share for score in found.scores) == pytest.approx(VISIBLE.mean())
    for index, (score, of_all) in enumerate(zip(found.scores, expected.scores, strict=True)):
        mine = VISIBLE & (expected.labels == index)
        assert score.absent == (not mine.any())
        assert score.score == (pytest.approx(expected.pixel_scores[mine].mean()) if mine.any() else None)
        assert score.highest_score <= of_all.highest_score


def test_the_highest_score_is_one_that_can_be_seen(pack: Pack, segmenter: Segmenter) -> None:
    whole = segmenter.segment(photo(HEIGHT, WIDTH), CATEGORIES)
    regions = whole.region_scores
    assert regions is not None
    assert whole.transparent_share == 0
    found = segmenter.segment(cut_out(), CATEGORIES)
    assert found.region_scores is not None
    rows = (np.arange(found.region_scores.map.shape[0]) + 0.5) * HEIGHT / found.region_scores.map.shape[0]
    columns = (np.arange(found.region_scores.map.shape[1]) + 0.5) * WIDTH / found.region_scores.map.shape[1]
    seen = VISIBLE[rows.astype(int)[:, None], columns.astype(int)]
    alone = [torch.from_numpy(places) for places in np.nonzero(seen & (found.region_scores.map < 0))]
    numbers = np.unique(found.region_scores.map[seen])
    of_regions = found.region_scores.scores[numbers[numbers >= 0]]
    expected = np.concatenate([of_regions, found.region_scores.pixel_scores(*alone).numpy()]).max(axis=0)
    assert [score.highest_score for score in found.scores] == pytest.approx(expected)


@pytest.mark.parametrize(
    "change",
    [
        {"refinement": RefinementParameters(way="pamr", iterations=2, dilations=(1, 2))},
        {"unknown": UnknownParameters(way="channel", threshold=0.4)},
        {"window_way": "whole"},
    ],
)
def test_so_it_is_in_every_way_of_segmenting(pack: Pack, segmenter: Segmenter, change: dict[str, object]) -> None:
    parameters = pack.parameters.segmentation.replace(**change)  # type: ignore[arg-type]
    found = segmenter.segment(cut_out(), CATEGORIES, parameters)
    expected = segmenter.segment(on_paper(), CATEGORIES, parameters)
    assert np.array_equal(found.labels, np.where(VISIBLE, expected.labels, UNKNOWN))


def test_a_fill_lies_behind_the_image_and_every_pixel_is_labelled(pack: Pack, segmenter: Segmenter) -> None:
    blue = np.where(VISIBLE[..., None], photo(HEIGHT, WIDTH), np.array([0, 0, 255])).astype(np.uint8)
    for fill, same in (("white", on_paper()), ("#0000ff", blue)):
        parameters = pack.parameters.segmentation.replace(fill_transparent=fill)
        found, expected = (segmenter.segment(image, CATEGORIES, parameters) for image in (cut_out(), same))
        assert np.array_equal(found.labels, expected.labels)
        assert (found.labels != UNKNOWN).all()
        assert (found.unknown_share, found.transparent_share) == (0, 0)


@pytest.mark.parametrize("colour", ["whit", "#12", "#ffffff00", "transparent"])
def test_a_fill_is_an_opaque_colour(pack: Pack, colour: str) -> None:
    with pytest.raises(
        InputError, match=f"fill_transparent is '{colour}', but must be a colour such as white or #ff8000"
    ):
        pack.parameters.segmentation.replace(fill_transparent=colour)


def test_what_is_more_opaque_than_transparent_is_labelled(segmenter: Segmenter) -> None:
    alpha = np.where(VISIBLE, 128, 127).astype(np.uint8)
    found = segmenter.segment(np.dstack([photo(HEIGHT, WIDTH), alpha]), CATEGORIES)
    assert np.array_equal(found.labels != UNKNOWN, VISIBLE)


def test_an_opaque_image_with_a_channel_for_transparency_is_whole(segmenter: Segmenter) -> None:
    found = segmenter.segment(cut_out(np.ones_like(VISIBLE)), CATEGORIES)
    assert np.array_equal(found.labels, segmenter.segment(photo(HEIGHT, WIDTH), CATEGORIES).labels)
    assert found.transparent_share == 0


def test_an_image_that_shows_nothing_is_refused(segmenter: Segmenter, tmp_path: Path) -> None:
    Image.fromarray(cut_out(np.zeros_like(VISIBLE))).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: every pixel of the image is transparent; take"):
        segmenter.segment(tmp_path / "a.png", CATEGORIES)


@pytest.mark.parametrize("kind", ["palette", "one colour", "one grey of 16 bits", "grey and alpha"])
def test_every_kind_of_transparency_counts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    values = np.where(VISIBLE, 7, 3).astype(np.uint8)
    if kind == "palette":
        image = Image.fromarray(values)
        image.putpalette(list(range(256)) * 3)
        image.save(path, transparency=3)
    elif kind == "one colour":
        Image.fromarray(np.dstack([values] * 3)).save(path, transparency=(3, 3, 3))
    elif kind == "one grey of 16 bits":
        Image.fromarray(values.astype(np.uint16) * 1000).save(path, transparency=3000)
    else:
        Image.fromarray(np.dstack([values, np.where(VISIBLE, 255, 0).astype(np.uint8)])).save(path)
    loaded = load_visible(path)
    assert loaded.visible is not None
    assert np.array_equal(loaded.visible, VISIBLE)
    assert (loaded.pixels[~VISIBLE] == 255).all()
    assert load_visible(path, "black").visible is None
    assert (load_visible(path, "black").pixels[~VISIBLE] == 0).all()


@pytest.fixture
def halves() -> np.ndarray:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:, :48] = (255, 255, 255)
    pixels[:, 48:] = (30, 30, 220)
    return pixels


def test_categories_are_proposed_for_what_can_be_seen(pack: Pack, halves: np.ndarray) -> None:
    parameters: SegmentationParameters = pack.parameters.segmentation.replace(beta=1.0)
    labels = np.zeros((64, 64), dtype=np.int32)
    labels[:, 48:] = 1
    (parts,) = image_parts(pack, halves, parameters, labels=labels, count=2)
    white, blue = (parts.pixels.T @ parts.features / parts.pixels.sum(dim=0)[:, None]).numpy()
    centres = NounCentres(("snow", "plum"), np.array([5, 5]), np.stack([white, blue]).astype(np.float32))
    assert propose(pack, centres, halves, parameters).proposals[0].noun == "snow"
    found = propose(pack, centres, halves, parameters, visible=labels == 1).proposals
    assert found[0].noun == "plum"
    assert found[0].area_share > 0.9  # a region at the border has some of both


def test_a_line_too_thin_for_the_models_is_proposed_for_and_labelled_all_the_same(
    pack: Pack, segmenter: Segmenter
) -> None:
    thin = np.zeros((800, 1090), dtype=bool)
    thin[3, 5] = True
    image = np.dstack([photo(800, 1090), np.where(thin, 255, 0).astype(np.uint8)])
    found: Segmentation = segmenter.segment(image, CATEGORIES)
    assert np.array_equal(found.labels != UNKNOWN, thin)
    assert segmenter.propose(image).proposals
    assert all(np.isfinite(score.highest_score) for score in found.scores)
