"""The ways that parameters ask for, from an image and a bank to labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.bank import PrototypeStore
from freeda_svc.bank.class_prototypes import ClassPrototypes
from freeda_svc.packs import Pack
from freeda_svc.parameters import RefinementParameters, SegmentationParameters, UnknownParameters
from freeda_svc.segmentation import UNKNOWN, Category, Segmenter
from freeda_svc.segmentation.aggregation import TextPrototypes
from tests.segmentation.toy_bank import NOUNS, make_prototypes, open_bank, photo


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store, bank="toys@2")


def with_changes(pack: Pack, **changes: object) -> SegmentationParameters:
    return pack.parameters.segmentation.replace(k=3, stride=32, **changes)


def test_a_result_names_the_bank_and_its_version(segmenter: Segmenter, store: PrototypeStore) -> None:
    result = segmenter.segment(photo(), NOUNS)
    assert result.bank == "toys@2"
    assert result.bank_revision == store.revision()
    assert [category.name for category in result.categories] == list(NOUNS)


def test_a_result_keeps_the_scores_of_regions(pack: Pack, segmenter: Segmenter) -> None:
    result = segmenter.segment(photo(), NOUNS, with_changes(pack))
    regions = result.region_scores
    assert regions is not None
    assert regions.map.shape == (64, 87)
    assert regions.scores.shape == (regions.map.max() + 1, 4)
    beta = result.parameters.beta
    np.testing.assert_allclose(regions.scores, beta * regions.local + (1 - beta) * regions.global_, atol=1e-5)


def test_the_whole_image_is_one_window(pack: Pack, segmenter: Segmenter) -> None:
    whole = segmenter.segment(photo(), NOUNS, with_changes(pack, window_way="whole"))
    assert (whole.windows, segmenter.segment(photo(), NOUNS, with_changes(pack)).windows) == (1, 2)
    same = segmenter.segment(photo(64, 64), NOUNS, with_changes(pack, window_way="whole"))
    assert np.array_equal(same.labels, segmenter.segment(photo(64, 64), NOUNS, with_changes(pack)).labels)


@pytest.mark.parametrize("synonyms", ["best", "mean"])
def test_synonyms_are_one_category(pack: Pack, segmenter: Segmenter, synonyms: str) -> None:
    parameters = with_changes(pack, synonyms=synonyms, window_way="whole")
    apart = segmenter.segment(photo(64, 64), NOUNS, parameters)
    joined = segmenter.segment(photo(64, 64), ["ball|tree", "grass|sky"], parameters)
    scores = apart.region_scores.scores
    each = np.stack((scores[:, :2], scores[:, 2:]))
    expected = (each.max(axis=2) if synonyms == "best" else each.mean(axis=2)).T
    np.testing.assert_allclose(joined.region_scores.scores, expected, atol=1e-6)
    assert [score.name for score in joined.scores] == ["ball|tree", "grass|sky"]
    if synonyms == "best":
        inside = joined.region_scores.map >= 0
        assert np.array_equal(joined.labels[inside], apart.labels[inside] // 2)


def test_background_words_are_one_category(pack: Pack, segmenter: Segmenter) -> None:
    categories = [Category("background", text="grass", synonyms=("sky",)), Category("ball"), Category("tree")]
    folded = segmenter.segment(photo(64, 64), categories, with_changes(pack, window_way="whole"))
    apart = segmenter.segment(photo(64, 64), ["grass", "sky", "ball", "tree"], with_changes(pack, window_way="whole"))
    inside = folded.region_scores.map >= 0
    assert np.array_equal(folded.labels[inside], np.array([0, 0, 1, 2])[apart.labels[inside]])


def test_similarities_are_joined_as_the_paper_writes(pack: Pack, segmenter: Segmenter) -> None:
    released = segmenter.segment(photo(), NOUNS, with_changes(pack, beta=1.0)).region_scores
    paper = segmenter.segment(photo(), NOUNS, with_changes(pack, beta=1.0, local_similarity="cosine")).region_scores
    single = (paper.members >= 0).sum(axis=1) == 1  # where windows overlap, sigmoids are averaged
    np.testing.assert_allclose(released.scores[single], 1 / (1 + np.exp(-paper.scores[single])), atol=1e-6)


@pytest.mark.parametrize("aggregation", ["mean_embedding", "mean_similarity", "max_similarity"])
def test_aggregations_of_one_prototype_are_the_same(pack: Pack, segmenter: Segmenter, aggregation: str) -> None:
    expected = segmenter.segment(photo(), NOUNS, with_changes(pack).replace(k=1)).region_scores.scores
    found = segmenter.segment(photo(), NOUNS, with_changes(pack, aggregation=aggregation).replace(k=1))
    np.testing.assert_allclose(found.region_scores.scores, expected, atol=1e-5)


def test_the_largest_similarity_is_not_below_the_mean(pack: Pack, segmenter: Segmenter) -> None:
    largest, mean = (
        segmenter.segment(photo(), NOUNS, with_changes(pack, aggregation=way)).region_scores.scores
        for way in ("max_similarity", "mean_similarity")
    )
    assert (largest >= mean - 1e-6).all()
    assert (largest > mean + 1e-3).any()


@pytest.mark.parametrize("way", ["channel", "local_before", "local_after"])
def test_unknown_pixels_have_a_label_of_their_own(pack: Pack, segmenter: Segmenter, way: str) -> None:
    middle = float(np.median(segmenter.segment(photo(), NOUNS, with_changes(pack, beta=1.0)).region_scores.scores))
    for threshold, expected in ((-1.0, (0.0, 0.0)), (middle, (0.0, 1.0)), (1.0, (1.0, 1.0))):
        unknown = UnknownParameters(way=way, threshold=threshold, local_threshold=threshold)
        result = segmenter.segment(photo(), NOUNS, with_changes(pack, beta=1.0, unknown=unknown))
        assert expected[0] <= result.unknown_share <= expected[1]
        assert result.unknown_share == (result.labels == UNKNOWN).mean()
        assert sum(score.area_share for score in result.scores) == pytest.approx(1 - result.unknown_share)


def test_refinement_changes_labels_and_not_regions(pack: Pack, segmenter: Segmenter) -> None:
    plain = segmenter.segment(photo(), NOUNS, with_changes(pack))
    refined = segmenter.segment(photo(), NOUNS, with_changes(pack, refinement=RefinementParameters(way="pamr")))
    assert 0.5 < (plain.labels == refined.labels).mean() < 1
    assert np.array_equal(plain.region_scores.scores, refined.region_scores.scores)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (300, 2), (17, 640)])
def test_every_superpixel_algorithm_takes_images_of_any_size(
    pack: Pack, segmenter: Segmenter, size: tuple[int, int]
) -> None:
    for algorithm in ("slic", "watershed", "seeds", "quickshift", "none"):
        superpixels = pack.parameters.segmentation.superpixels.replace(algorithm=algorithm)
        parameters = with_changes(
            pack,
            superpixels=superpixels,
            refinement=RefinementParameters(way="pamr", iterations=1),
            unknown=UnknownParameters(way="local_after", local_threshold=0.5),
        )
        assert segmenter.segment(photo(*size), NOUNS, parameters).labels.shape == size


def test_ten_thousand_categories_are_distinguished(
    pack: Pack, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    directions = functional.normalize(torch.randn(10_000, pack.image_text.dimension, generator=generator), dim=1)
    names = [f"thing {number}" for number in range(10_000)]
    numbers = {name: number for number, name in enumerate(names)}

    def embed_nouns(nouns: Sequence[str]) -> torch.Tensor:  # the models' own takes a minute for so many
        return directions[[numbers[noun] for noun in nouns]]

    monkeypatch.setattr(pack.image_text, "embed_nouns", embed_nouns)
    result = segmenter.segment(photo(32, 40), names)
    assert len(result.scores) == 10_000
    assert result.labels.max() >= 256
    assert sum(score.area_share for score in result.scores) == pytest.approx(1)


def test_exemplars_count_as_the_parameters_say(pack: Pack, tmp_path: Path) -> None:
    (own,), (other,) = make_prototypes(pack, ("dog",), 1, "exemplar"), make_prototypes(pack, ("dog",), 2)
    with open_bank(pack, tmp_path / "bank") as store:
        store.add([own, other])
        prototypes = TextPrototypes(ClassPrototypes(store), pack.image_text)
        directions = np.eye(pack.backbone.dimension, dtype=np.float32)

        def fetched(**changes: object) -> np.ndarray:
            """The direction of the class prototype: its cosines with the axes."""
            parameters = with_changes(pack, **changes).replace(k=8)
            return prototypes.comparison(["dog"], parameters, 1)(torch.from_numpy(directions)).numpy()[:, 0]

        own_vector, other_vector = (each.vector.astype(np.float16).astype(np.float32) for each in (own, other))
        for changes, mean in (
            ({"exemplar_share": 0.5}, (4 * own_vector + other_vector) / 5),
            ({"exemplar_share": 0.0}, (own_vector + other_vector) / 2),
            ({"origins": ("generated",)}, other_vector),
        ):
            np.testing.assert_allclose(fetched(**changes), mean / np.linalg.norm(mean), atol=1e-5)
