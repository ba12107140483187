import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.errors import InputError
from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.packs import Pack
from freeda_svc.parameters import SegmentationParameters, UnknownParameters
from freeda_svc.prototypes.record import EXEMPLAR, GENERATED, Prototype
from freeda_svc.segmentation import EvidenceLimits, Segmentation, Segmenter, evidence_values
from freeda_svc.segmentation.parts import image_parts, nearest_pixels
from tests.bank.store_contract import class_prototypes
from tests.made_prototypes import make_prototype

NOUNS = ("ball", "tree", "grass", "sky")
EACH = 4


def make_prototypes(pack: Pack, seed: int, origin: str = GENERATED) -> list[Prototype]:
    rng = np.random.default_rng(seed)
    keys = pack.image_text.embed_nouns(NOUNS).numpy()
    return [
        make_prototype(
            noun,
            caption_id=f"{noun} {seed}",
            caption=f"a {noun} of seed {seed}",
            seed=seed,
            key=(key + rng.normal(0, 0.001, key.shape)).astype(np.float32),
            vector=rng.normal(0, rng.uniform(0.5, 2), pack.backbone.dimension).astype(np.float32),
            pack=pack.fingerprint,
            origin=origin,
            image=f"thumbnails/{noun}-{seed}.png",
        )
        for noun, key in zip(NOUNS, keys, strict=True)
    ]


@pytest.fixture(scope="module")
def store(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrototypeStore]:
    """Do not add to it."""
    folder = tmp_path_factory.mktemp("bank")
    opened = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    opened.add([prototype for seed in range(EACH) for prototype in make_prototypes(pack, seed)])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Wide enough for windows that overlap."""
    return np.concatenate([paint_scene((9, number), CROWDED).image for number in range(2)], axis=1)


@pytest.fixture
def parameters(pack: Pack) -> SegmentationParameters:
    return pack.parameters.segmentation.replace(k=EACH)


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store, bank="tests@1")


def mean_feature(pack: Pack, image: np.ndarray, segmentation: Segmentation, index: int) -> torch.Tensor:
    labels = np.where(segmentation.labels == index, 0, -1).astype(np.int32)
    parts = list(image_parts(pack, image, segmentation.parameters, labels=labels))
    summed = sum(part.pixels[:, 0] @ functional.normalize(part.features, dim=-1) for part in parts)
    return summed / sum(part.pixels.sum() for part in parts)


def test_contributions_of_prototypes_sum_up_to_the_cosine_of_the_class_prototype_and_the_regions(
    pack: Pack, store: PrototypeStore, segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters)
    evidence = segmenter.explain(image, segmentation)
    assert {category.name for category in evidence.categories} == {
        score.name for score in segmentation.scores if not score.absent
    }
    for category in evidence.categories:
        (mean,) = class_prototypes(store, pack.image_text.embed_nouns([category.name]).numpy(), EACH)
        direction = mean_feature(pack, image, segmentation, category.index)
        expected = float(functional.normalize(torch.from_numpy(mean), dim=0) @ direction)
        assert category.texts[0].cosine == pytest.approx(expected, abs=1e-5)
        assert sum(prototype.contribution or 0 for prototype in category.prototypes) == pytest.approx(
            expected, abs=1e-5
        )


def test_a_prototypes_agreement_is_its_mean_cosine_with_the_regions_and_the_highest_comes_first(
    pack: Pack, store: PrototypeStore, segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters)
    for category in segmenter.explain(image, segmentation).categories:
        direction = mean_feature(pack, image, segmentation, category.index)
        vectors = torch.from_numpy(store.vectors([prototype.id for prototype in category.prototypes]))
        agreements = [prototype.agreement for prototype in category.prototypes]
        assert agreements == pytest.approx((functional.normalize(vectors, dim=1) @ direction).tolist(), abs=1e-5)
        assert agreements == sorted(agreements, reverse=True)


def test_prototypes_are_reported_with_what_the_bank_knows_of_them(
    store: PrototypeStore, segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    evidence = segmenter.explain(image, segmenter.segment(image, NOUNS, parameters), EvidenceLimits(prototypes=2))
    for category in evidence.categories:
        assert len(category.prototypes) == 2
        assert category.texts[0].nouns == {category.name: EACH}
        assert category.texts[0].retrieved == EACH
        for prototype in category.prototypes:
            (payload,) = store.payloads([prototype.id])
            told = (prototype.noun, prototype.caption, prototype.origin, prototype.image)
            assert told == tuple(payload[name] for name in ("noun", "caption", "origin", "image"))
            start, end = prototype.spans[0]
            assert prototype.caption[start:end] == prototype.noun == category.name
            assert prototype.key_score > 0.9


@pytest.mark.parametrize("aggregation", ["mean_similarity", "max_similarity"])
def test_other_aggregations_are_reported_as_they_compare(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters, aggregation: str
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters.replace(aggregation=aggregation))
    for category in segmenter.explain(image, segmentation).categories:
        agreements = [prototype.agreement or 0 for prototype in category.prototypes]
        contributions = [prototype.contribution for prototype in category.prototypes]
        if aggregation == "max_similarity":
            assert contributions == [None] * EACH
            assert category.texts[0].cosine == pytest.approx(max(agreements))
        else:
            assert contributions == pytest.approx([agreement / EACH for agreement in agreements])
            assert category.texts[0].cosine == pytest.approx(sum(agreements) / EACH)


def test_exemplars_come_first_as_far_as_they_count_more(
    pack: Pack, tmp_path: Path, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    store = make_or_open_folder(tmp_path, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    ball = make_prototypes(pack, 7, EXEMPLAR)[0]
    parts = next(image_parts(pack, image, parameters))
    twin = replace(ball, vector=parts.features.mean(dim=0).numpy())  # agrees with everything in the image
    generated = [replace(twin, origin=GENERATED, caption_id=f"twin {number}") for number in range(3)]
    store.add([twin, *generated])
    segmenter = Segmenter(pack, store)
    given = parameters.replace(exemplar_share=1.0)
    (category,) = segmenter.explain(image, segmenter.segment(image, ["ball"], given)).categories
    assert [prototype.origin for prototype in category.prototypes] == [EXEMPLAR, *[GENERATED] * 3]
    first, second = (prototype.contribution or 0 for prototype in category.prototypes[:2])
    assert first == pytest.approx(EACH * second, rel=1e-5)
    store.close()


@pytest.mark.parametrize("algorithm", ["felzenszwalb", "none"])
@pytest.mark.parametrize("beta", [0.7, 1.0])
def test_local_and_global_part_make_up_the_score_of_regions_and_tiles(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters, algorithm: str, beta: float
) -> None:
    changed = parameters.replace(beta=beta, superpixels=parameters.superpixels.replace(algorithm=algorithm))
    segmentation = segmenter.segment(image, NOUNS, changed)
    regions = segmenter.explain(image, segmentation).regions
    assert (regions.scores == regions.scores).all()
    assert np.allclose(beta * regions.local + (1 - beta) * regions.global_, regions.scores, atol=1e-6)
    assert regions.map.min() == 0
    assert regions.map.max() == len(regions.scores) - 1
    assert (regions.pixels == np.bincount(regions.map.ravel())).all()
    assert (regions.regions > 0) == (algorithm != "none")
    assert (np.diff(regions.scores[:, :-1], axis=1) <= 0).all()


def test_a_region_is_reported_with_the_label_of_its_pixels_and_that_has_the_best_score(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters)
    regions = segmenter.explain(image, segmentation).regions
    labels = nearest_pixels(segmentation.labels, regions.map.shape)
    for region in range(regions.regions):
        assert (labels[regions.map == region] == regions.labels[region]).all()
        assert regions.categories[region, 0] == regions.labels[region]


def test_scores_at_a_pixel_are_those_that_the_segmentation_has_there(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters)
    evidence = segmenter.explain(image, segmentation)
    assert segmentation.region_scores is not None
    for row, column in ((0, 0), (63, 127), (20, 70)):
        region = segmentation.region_scores.map[row, column]  # seen at its own size
        told = {parts.name: parts.score for parts in evidence.at(row, column)}
        if region >= 0:
            expected = dict(zip(NOUNS, segmentation.region_scores.scores[region].tolist(), strict=True))
            assert told == pytest.approx(expected)
        assert next(iter(told)) == NOUNS[segmentation.labels[row, column]]


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (64, 0), (0, 128)])
def test_pixels_outside_of_the_image_are_refused(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters, row: int, column: int
) -> None:
    evidence = segmenter.explain(image, segmenter.segment(image, NOUNS, parameters))
    with pytest.raises(InputError, match="outside of the image, 64 x 128"):
        evidence.at(row, column)


def test_only_the_best_categories_of_a_region_are_reported_and_the_label_is_among_them(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    refined = parameters.replace(refinement=parameters.refinement.replace(way="pamr"))  # moves labels elsewhere
    segmentation = segmenter.segment(image, NOUNS, refined)
    regions = segmenter.explain(image, segmentation, EvidenceLimits(categories=1)).regions
    assert regions.categories.shape == (len(regions.labels), 1)
    assert (regions.categories[:, 0] == regions.labels).all()


def test_of_categories_with_several_texts_each_text_is_reported(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, ["ball|tree", "grass|sky"], parameters.replace(beta=0.6))
    evidence = segmenter.explain(image, segmentation)
    for category in evidence.categories:
        assert {text.text for text in category.texts} == set(category.name.split("|"))
        cosines = [text.cosine or 0 for text in category.texts]
        assert cosines == sorted(cosines, reverse=True)
        assert {prototype.text for prototype in category.prototypes} == set(category.name.split("|"))
        assert len({prototype.id for prototype in category.prototypes}) == len(category.prototypes)
    known = evidence.regions.regions
    whole = 0.6 * evidence.regions.local[:known] + 0.4 * evidence.regions.global_[:known]
    assert np.allclose(whole, evidence.regions.scores[:known], atol=1e-6)


def test_unknown_pixels_are_reported_as_unknown(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    nothing = parameters.replace(unknown=UnknownParameters(way="channel", threshold=1.0))
    evidence = segmenter.explain(image, segmenter.segment(image, NOUNS, nothing))
    assert evidence.categories == ()
    assert evidence.unknown_share == 1.0
    assert (evidence.regions.labels == -1).all()


def test_another_image_or_pack_is_refused(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    segmentation = segmenter.segment(image, NOUNS, parameters)
    with pytest.raises(InputError, match="64 x 64 pixels large, what was segmented 128 x 64"):
        segmenter.explain(image[:, :64], segmentation)
    with pytest.raises(InputError, match="segmented with pack other"):
        segmenter.explain(image, replace(segmentation, pack="other"))
    with pytest.raises(InputError, match="not kept"):
        segmenter.explain(image, replace(segmentation, region_scores=None))


def test_a_bank_that_changed_meanwhile_is_reported(
    pack: Pack, tmp_path: Path, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    store = make_or_open_folder(tmp_path, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    store.add(make_prototypes(pack, 0))
    segmenter = Segmenter(pack, store)
    segmentation = segmenter.segment(image, NOUNS, parameters)
    assert not segmenter.explain(image, segmentation).bank_changed
    store.add(make_prototypes(pack, 1))
    assert segmenter.explain(image, segmentation).bank_changed
    store.close()


@pytest.mark.parametrize("limits", [{"prototypes": 0}, {"categories": 0}])
def test_limits_below_one_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(InputError, match="ask for at least 1"):
        EvidenceLimits(**limits)


def test_values_are_json_and_the_map_comes_back_from_its_runs(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    evidence = segmenter.explain(image, segmenter.segment(image, NOUNS, parameters))
    values = json.loads(json.dumps(evidence_values(evidence), allow_nan=False))
    assert values["format"] == "freeda-evidence"
    assert values["bank"] == "tests@1"
    runs = values["map"]["runs"]
    back = np.repeat(runs[0::2], runs[1::2]).reshape(values["map"]["height"], values["map"]["width"])
    assert (back == evidence.regions.map).all()
    assert np.allclose(values["regions"]["score"], evidence.regions.scores, atol=1e-5)
    assert values["categories"][0]["prototypes"][0]["id"] == evidence.categories[0].prototypes[0].id


def test_what_is_not_known_is_null_in_the_values(
    segmenter: Segmenter, image: np.ndarray, parameters: SegmentationParameters
) -> None:
    dense = parameters.replace(superpixels=parameters.superpixels.replace(algorithm="none"))
    evidence = segmenter.explain(image, segmenter.segment(image, ["ball|tree", "sky"], dense))
    values = evidence_values(evidence)
    assert values["regions"]["global"][0] == [None, None]
    assert {parts.global_ for parts in evidence.at(0, 0)} == {None}
