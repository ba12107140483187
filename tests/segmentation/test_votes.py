"""Votes by appearance, against a plain restatement, and what they leave alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.packs import Pack
from freeda_svc.parameters import RefinementParameters, SegmentationParameters, UnknownParameters
from freeda_svc.prototypes import Prototype
from freeda_svc.segmentation import UNKNOWN, Segmenter, cut_superpixels
from freeda_svc.segmentation.scoring import Ensemble
from freeda_svc.segmentation.votes import appearance_support
from freeda_svc.segmentation.window_scores import cells_read
from tests.segmentation.toy_bank import NOUNS, fill_bank, make_prototypes, open_bank, photo

K = 4


def with_appearances(pack: Pack, prototypes: list[Prototype], seed: int) -> list[Prototype]:
    drawn = np.random.default_rng(seed).normal(size=(len(prototypes), pack.image_text.dimension))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return [replace(one, appearance=appearance) for one, appearance in zip(prototypes, unit, strict=True)]


@pytest.fixture(scope="module")
def prototypes(pack: Pack) -> list[Prototype]:
    plain = [
        one for seed in range(5) for one in make_prototypes(pack, NOUNS, seed, ("generated", "exemplar")[seed % 2])
    ]
    return with_appearances(pack, plain, 8)


@pytest.fixture(scope="module")
def looks(
    pack: Pack, prototypes: list[Prototype], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrototypeStore]:
    """Twenty prototypes with appearances. Do not add to it."""
    with open_bank(pack, tmp_path_factory.mktemp("looks") / "bank") as store:
        store.add(prototypes)
        yield store


@pytest.fixture(scope="module")
def segmenter(pack: Pack, looks: PrototypeStore) -> Segmenter:
    return Segmenter(pack, looks)


def given_parameters(pack: Pack, weight: float, **changes: object) -> SegmentationParameters:
    return pack.parameters.segmentation.replace(k=3, appearance_weight=weight, appearance_k=K, **changes)


def features_of(pack: Pack, image: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    return pack.backbone.features(pixels)[0]


def restated_support(
    pack: Pack, prototypes: list[Prototype], feature: torch.Tensor, origins: tuple[str, ...] = ()
) -> np.ndarray:
    """(N,) for one region: sorted by cosine times length, the appearances of the first K averaged."""
    usable = [one for one in prototypes if not origins or one.origin in origins]
    direction = functional.normalize(feature.double(), dim=0).numpy()
    nearest = sorted(usable, key=lambda one: -float(direction @ one.vector.astype(np.float64)))[:K]
    mean = np.mean([one.appearance for one in nearest], axis=0)
    texts = functional.normalize(pack.image_text.embed_nouns(NOUNS), dim=1).numpy()
    return texts @ (mean / np.linalg.norm(mean))


@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("origins", [(), ("exemplar",)])
def test_each_region_is_scored_as_the_equations_say(
    pack: Pack,
    segmenter: Segmenter,
    prototypes: list[Prototype],
    weight: float,
    origins: tuple[str, ...],
) -> None:
    image = photo(64, 64)
    features, superpixels = features_of(pack, image), cut_superpixels(image, pack.parameters.segmentation.superpixels)
    own, joined = (
        segmenter.segment(image, NOUNS, given_parameters(pack, part, origins=origins)).region_scores.windows[0][1]
        for part in (0.0, weight)
    )
    seen = 0
    for region in range(int(superpixels.max()) + 1):
        mask = torch.from_numpy(superpixels == region).float()[None, None]
        small = functional.interpolate(mask, size=features.shape[1:], mode="bilinear", align_corners=True)[0, 0]
        if float(small.sum()) > 0:
            support = restated_support(pack, prototypes, (features * small).sum(dim=(1, 2)) / small.sum(), origins)
            expected = (1 - weight) * own.by_region[region].numpy() + weight * support
            np.testing.assert_allclose(joined.by_region[region], expected, atol=2e-4)
            np.testing.assert_allclose(joined.support[region], support, atol=2e-4)
            seen += 1
    assert seen > 5
    assert torch.equal(joined.local, own.local)


def test_pixels_without_region_take_the_votes_of_their_cells(
    pack: Pack, segmenter: Segmenter, prototypes: list[Prototype]
) -> None:
    image = photo(64, 64)
    superpixels = pack.parameters.segmentation.superpixels.replace(algorithm="none")
    own, joined = (
        segmenter.segment(image, NOUNS, given_parameters(pack, part, superpixels=superpixels))
        .region_scores.windows[0][1]
        .dense
        for part in (0.0, 0.4)
    )
    cells = features_of(pack, image).flatten(start_dim=1).T
    support = np.stack([restated_support(pack, prototypes, cell) for cell in cells]).reshape(own.shape)
    np.testing.assert_allclose(joined, 0.6 * own.numpy() + 0.4 * support, atol=2e-4)


def test_without_weight_nothing_is_searched_and_nothing_changes(
    pack: Pack, looks: PrototypeStore, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be searched for")

    monkeypatch.setattr(PrototypeStore, "mean_appearances", refuse)
    monkeypatch.setattr(PrototypeStore, "count_appearances", refuse)
    plain = pack.parameters.segmentation.replace(k=3)
    found, again = (segmenter.segment(photo(), NOUNS, one) for one in (plain, given_parameters(pack, 0.0)))
    assert np.array_equal(found.region_scores.scores, again.region_scores.scores)
    assert np.array_equal(found.pixel_scores, again.pixel_scores)
    with fill_bank(pack, tmp_path / "bank") as store:  # which has no appearance
        Segmenter(pack, store).segment(photo(), NOUNS, given_parameters(pack, 0.0))


def test_with_all_the_weight_nothing_else_counts(pack: Pack, segmenter: Segmenter) -> None:
    first, other = (
        segmenter.segment(photo(), NOUNS, given_parameters(pack, 1.0, **changes))
        for changes in ({}, {"beta": 0.1, "local_similarity": "cosine", "aggregation": "max_similarity"})
    )
    assert np.array_equal(first.labels, other.labels)
    assert np.array_equal(first.pixel_scores, other.pixel_scores)


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(range(len(NOUNS))), weight=st.floats(0, 1))
def test_the_order_of_categories_does_not_matter(
    pack: Pack, segmenter: Segmenter, order: list[int], weight: float
) -> None:
    parameters = given_parameters(pack, weight)
    first = segmenter.segment(photo(64, 64), NOUNS, parameters).region_scores.scores
    other = segmenter.segment(photo(64, 64), [NOUNS[place] for place in order], parameters).region_scores.scores
    np.testing.assert_allclose(other, first[:, order], atol=1e-6)


@given(
    seed=st.integers(0, 999),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    weight=st.floats(0, 1),
    beta=st.floats(0, 1),
    synonyms=st.sampled_from(["best", "mean"]),
)
def test_support_joins_the_score_of_each_text(
    seed: int, counts: list[int], weight: float, beta: float, synonyms: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    texts = sum(counts)
    cosines, support = (torch.rand(5, texts, generator=generator) * 2 - 1 for _ in range(2))
    similarity = torch.rand(texts, generator=generator)
    ensemble = Ensemble(beta, "sigmoid", tuple(counts), synonyms, weight)
    joined = ensemble.join(cosines, similarity, support)
    own = Ensemble(beta).join(cosines, similarity).scores.double()
    each = ((1 - weight) * own + weight * support.double()).split(counts, dim=1)
    expected = [part.amax(dim=1) if synonyms == "best" else part.mean(dim=1) for part in each]
    torch.testing.assert_close(joined.scores.double(), torch.stack(expected, dim=1), atol=1e-6, rtol=0)
    parts = (1 - weight) * (beta * joined.local + (1 - beta) * joined.global_similarity) + weight * joined.support
    torch.testing.assert_close(parts, joined.scores, atol=1e-6, rtol=0)
    if weight == 0:
        plain = Ensemble(beta, "sigmoid", tuple(counts), synonyms).join(cosines, similarity)
        torch.testing.assert_close(joined.scores, plain.scores, atol=0, rtol=0)


def test_a_bank_without_appearances_says_so_in_one_line(pack: Pack, store: PrototypeStore) -> None:
    expected = (
        "none of the 12 prototypes of the bank has an appearance, which appearance_weight 0.5 asks for: set it to 0, "
        "or ingest the captions into a new bank"
    )
    with pytest.raises(InputError) as refused:
        Segmenter(pack, store).segment(photo(), NOUNS, given_parameters(pack, 0.5))
    assert str(refused.value) == expected


def test_prototypes_of_origins_without_appearances_say_so(pack: Pack, segmenter: Segmenter, tmp_path: Path) -> None:
    with open_bank(pack, tmp_path / "bank") as store:
        store.add(make_prototypes(pack, NOUNS, 0))
        store.add(with_appearances(pack, make_prototypes(pack, NOUNS, 1, "exemplar"), 1))
        parameters = given_parameters(pack, 0.5, origins=("generated",))
        with pytest.raises(InputError, match="none of the 8 prototypes of the bank of origin generated has an appear"):
            Segmenter(pack, store).segment(photo(), NOUNS, parameters)
        Segmenter(pack, store).segment(photo(), NOUNS, parameters.replace(origins=()))


def test_features_of_length_zero_get_no_support(pack: Pack, looks: PrototypeStore) -> None:
    support = appearance_support(looks, pack.image_text.embed_nouns(NOUNS), given_parameters(pack, 0.5))
    features = torch.zeros(3, pack.backbone.dimension)
    assert not support(features).any()
    features[1] = 1
    found = support(features)
    assert (found[1] != 0).all()
    assert not found[[0, 2]].any()


@pytest.mark.parametrize("algorithm", ["felzenszwalb", "none"])
def test_local_thresholds_see_the_local_similarity_alone(pack: Pack, segmenter: Segmenter, algorithm: str) -> None:
    superpixels = pack.parameters.segmentation.superpixels.replace(algorithm=algorithm)
    unknown = UnknownParameters(way="local_before", local_threshold=0.5)
    first, other = (
        segmenter.segment(photo(64, 64), NOUNS, given_parameters(pack, w, superpixels=superpixels, unknown=unknown))
        for w in (0.0, 0.6)
    )
    assert 0 < first.unknown_share < 1
    assert np.array_equal(first.labels == UNKNOWN, other.labels == UNKNOWN)


def test_refined_scores_have_the_votes(pack: Pack, segmenter: Segmenter) -> None:
    refined = RefinementParameters(way="pamr", iterations=1)
    first, other = (
        segmenter.segment(photo(), NOUNS, given_parameters(pack, w, refinement=refined)).labels for w in (0.0, 1.0)
    )
    assert (first != other).any()


@settings(deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    data=st.data(),
)
def test_other_cells_than_those_read_change_no_pixel(
    height: int, width: int, rows: int, columns: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    pixels = torch.tensor(chosen).reshape(height, width)
    read = cells_read(pixels, rows, columns)
    cells = torch.arange(1.0, rows * columns + 1)
    whole, partly = (
        functional.interpolate(
            grid.reshape(1, 1, rows, columns), size=(height, width), mode="bilinear", align_corners=True
        )[0, 0]
        for grid in (cells, cells * read)
    )
    torch.testing.assert_close(partly[pixels], whole[pixels])
    assert bool(read.any()) == bool(pixels.any())


def test_evidence_names_the_support_of_regions(pack: Pack, segmenter: Segmenter) -> None:
    image = photo(64, 64)
    regions = segmenter.explain(image, segmenter.segment(image, NOUNS, given_parameters(pack, 0.4))).regions
    beta, known = pack.parameters.segmentation.beta, regions.regions
    own = beta * regions.local[:known] + (1 - beta) * regions.global_[:known]
    np.testing.assert_allclose(0.6 * own + 0.4 * regions.support[:known], regions.scores[:known], atol=1e-5)
    assert np.isnan(regions.local[known:]).all()
    plain = segmenter.explain(image, segmenter.segment(image, NOUNS, given_parameters(pack, 0.0))).regions
    assert np.isnan(plain.support).all()
    assert np.isfinite(plain.local).all()
