"""Regions that are given: cut into windows, scored and labelled as one, to the pixel."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.images import load_visible
from freeda_svc.packs import Pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation import Segmenter
from freeda_svc.segmentation.given_regions import cut_given
from freeda_svc.segmentation.parts import image_parts
from freeda_svc.segmentation.windows import Window
from tests.bank.store_contract import class_prototypes
from tests.segmentation.toy_bank import NOUNS, photo

SIZE = (64, 64)


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store)


@pytest.fixture
def parameters(pack: Pack) -> SegmentationParameters:
    return pack.parameters.segmentation


def quarters(height: int, width: int, *, missing: bool = False) -> np.ndarray:
    """Four regions; the last quarter belongs to none where one is missing."""
    regions = np.zeros((height, width), dtype=np.int32)
    regions[: height // 2, width // 2 :] = 1
    regions[height // 2 :, : width // 2] = 2
    regions[height // 2 :, width // 2 :] = -1 if missing else 3
    return regions


def with_regions(image: np.ndarray, regions: np.ndarray) -> object:
    return replace(load_visible(image), regions=regions)


def test_a_window_has_the_given_regions_and_what_is_left_of_its_superpixels() -> None:
    given = np.array([[5, 5, -1, -1], [-1, 9, 9, -1]], dtype=np.int32)
    superpixels = torch.tensor([[0, 1, 1], [0, 0, -1]], dtype=torch.int32)
    cut = cut_given(given, Window(0, 1, 2, 4), superpixels)
    assert cut.labels.tolist() == [[0, 2, 2], [1, 1, -1]]
    assert cut.given.tolist() == [5, 9, -1]


def test_a_window_without_given_regions_keeps_its_superpixels() -> None:
    superpixels = torch.tensor([[0, 1], [2, 0]], dtype=torch.int32)
    cut = cut_given(np.full((2, 2), -1, dtype=np.int32), Window(0, 0, 2, 2), superpixels)
    assert torch.equal(cut.labels, superpixels)
    assert cut.given.tolist() == [-1, -1, -1]


def test_scores_of_given_regions_in_one_window_are_those_of_a_plain_restatement(
    pack: Pack,
    store: PrototypeStore,
    segmenter: Segmenter,
    parameters: SegmentationParameters,
    pixel_scores: Callable[..., torch.Tensor],
) -> None:
    image, regions = photo(*SIZE), quarters(*SIZE)
    found = segmenter.segment(with_regions(image, regions), NOUNS, parameters)
    crop = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    prototypes = torch.from_numpy(class_prototypes(store, pack.image_text.embed_nouns(NOUNS).numpy(), parameters.k))
    similarity = torch.cosine_similarity(pack.image_text.embed_images(crop), pack.image_text.embed_nouns(NOUNS))
    expected = pixel_scores(pack.backbone.features(crop)[0], regions, prototypes, similarity, parameters.beta)
    assert found.regions == 4
    assert np.array_equal(found.labels, expected.argmax(dim=0).numpy())
    assert np.allclose(found.pixel_scores, expected.amax(dim=0).numpy(), atol=1e-5)


@pytest.mark.parametrize("unknown", ["none", "local_before"])
def test_a_region_in_several_windows_has_one_score_and_one_label_in_the_shape_it_was_given(
    segmenter: Segmenter, parameters: SegmentationParameters, unknown: str
) -> None:
    image = photo(96, 230)
    regions = quarters(96, 230)
    regions[10:13, 100:104] = 4  # lost at the scale that the models see, or between the cells of their grid
    way = parameters.unknown.replace(way=unknown, local_threshold=0.55)
    found = segmenter.segment(with_regions(image, regions), NOUNS, parameters.replace(unknown=way))
    assert found.windows > 2
    for region in range(5):
        assert len(np.unique(found.labels[regions == region])) == 1
        assert len(np.unique(found.pixel_scores[regions == region])) == 1
    assert found.region_scores is not None
    places = found.region_scores.map
    for region in range(4):  # all its parts have the same scores
        inside = places[(found.given_regions == region) & (places >= 0)]
        assert np.ptp(found.region_scores.scores[inside], axis=0).max() < 1e-6


def test_the_score_of_a_region_is_the_mean_of_its_windows_weighted_by_area(
    segmenter: Segmenter, parameters: SegmentationParameters
) -> None:
    image = photo(64, 100)
    whole = np.zeros((64, 100), dtype=np.int32)
    numbers = parameters.replace(stride=64)
    found = segmenter.segment(with_regions(image, whole), NOUNS, numbers)
    assert found.region_scores is not None
    assert found.windows == 2
    alone = [
        segmenter.segment(with_regions(image[:, at : at + 64], whole[:, :64]), NOUNS, numbers).region_scores
        for at in (0, 36)
    ]
    expected = np.mean([scores.scores[0] for scores in alone if scores is not None], axis=0)
    assert np.allclose(found.region_scores.scores, expected, atol=1e-5)
    assert np.allclose(
        found.region_scores.local,
        np.mean([scores.local[0] for scores in alone if scores is not None], axis=0),
        atol=1e-5,
    )


def test_superpixels_lie_where_no_region_is(segmenter: Segmenter, parameters: SegmentationParameters) -> None:
    image = photo(*SIZE)
    usual = segmenter.segment(image, NOUNS, parameters)
    found = segmenter.segment(with_regions(image, quarters(*SIZE, missing=True)), NOUNS, parameters)
    assert 4 < found.regions < usual.regions + 3
    none = segmenter.segment(
        with_regions(image, quarters(*SIZE, missing=True)),
        NOUNS,
        parameters.replace(superpixels=parameters.superpixels.replace(algorithm="none")),
    )
    assert none.regions == 3
    assert none.region_scores is not None
    assert (none.region_scores.map[32:, 32:] < 0).all()


def test_regions_that_are_superpixels_change_nothing_but_outlines(
    segmenter: Segmenter, parameters: SegmentationParameters
) -> None:
    image = photo(*SIZE)
    usual = segmenter.segment(image, NOUNS, parameters)
    assert usual.region_scores is not None
    again = segmenter.segment(with_regions(image, usual.region_scores.map), NOUNS, parameters)
    assert (usual.labels == again.labels).mean() > 0.99


def test_refinement_may_cross_the_outlines_of_given_regions(
    segmenter: Segmenter, parameters: SegmentationParameters
) -> None:
    refined = parameters.replace(refinement=parameters.refinement.replace(way="pamr"))
    found = segmenter.segment(with_regions(photo(*SIZE), quarters(*SIZE)), NOUNS, refined)
    assert found.labels.shape == SIZE


def test_what_is_transparent_has_no_say_and_no_label(segmenter: Segmenter, parameters: SegmentationParameters) -> None:
    image, regions = photo(*SIZE), quarters(*SIZE)
    opaque = np.full(SIZE, 255, dtype=np.uint8)
    opaque[:, 40:] = 0
    loaded = replace(load_visible(np.dstack([image, opaque])), regions=regions)
    found = segmenter.segment(loaded, NOUNS, parameters)
    assert (found.labels[:, 40:] == -1).all()
    assert (found.labels[:, :40] >= 0).all()


def test_images_with_and_without_regions_go_together(segmenter: Segmenter, parameters: SegmentationParameters) -> None:
    image = photo(*SIZE)
    sources = [image, with_regions(image, quarters(*SIZE)), image]
    plain, regions, again = segmenter.segment_many(sources, NOUNS, parameters)  # type: ignore[arg-type]
    assert plain.given_regions is None
    assert np.array_equal(plain.labels, again.labels)
    assert regions.regions == 4


def test_evidence_and_proposals_are_about_the_given_regions(
    pack: Pack, segmenter: Segmenter, parameters: SegmentationParameters
) -> None:
    image = with_regions(photo(96, 130), quarters(96, 130))
    found = segmenter.segment(image, NOUNS, parameters)  # type: ignore[arg-type]
    evidence = segmenter.explain(photo(96, 130), found)
    assert {category.name for category in evidence.categories} == {s.name for s in found.scores if not s.absent}
    parts = list(image_parts(pack, photo(96, 130), parameters, regions=found.given_regions))
    assert all(len(part.features) <= 8 for part in parts)
    assert segmenter.propose(image, parameters).categories  # type: ignore[arg-type]


def test_regions_of_another_size_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(InputError, match=r"the regions are 60 x 64 pixels large, but the image 64 x 64"):
        segmenter.segment(with_regions(photo(*SIZE), quarters(64, 60)), NOUNS)  # type: ignore[arg-type]


def test_masks_need_a_pack_with_a_mask_generator(segmenter: Segmenter, parameters: SegmentationParameters) -> None:
    masks = parameters.replace(regions=parameters.regions.replace(way="masks"))
    with pytest.raises(InputError, match=r"has no mask generator .*regions of your own"):
        segmenter.segment(photo(*SIZE), NOUNS, masks)
