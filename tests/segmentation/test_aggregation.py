from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.bank.class_prototypes import Retrieval, RetrievedPrototypes
from freeda_svc.parameters import SegmentationParameters, SuperpixelParameters
from freeda_svc.segmentation import aggregation
from freeda_svc.segmentation.aggregation import TextPrototypes

SUPERPIXELS = SuperpixelParameters(algorithm="none", scale=100.0, sigma=1.0, min_size=20)
TEXTS = ("dog", "cat", "tree")


class Shelf:
    """Gives seven prototypes a text, of which the first counts twice, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def members(self, text: str) -> RetrievedPrototypes:
        rng = np.random.default_rng(len(text) + ord(text[0]))
        vectors = rng.normal(0.3, 1, (7, 6)).astype(np.float32)
        weights = np.array([2.0, 1, 1, 1, 1, 1, 1])
        return RetrievedPrototypes(tuple("abcdefg"), np.ones(7, dtype=np.float32), vectors, weights)

    def fetch(self, texts: Sequence[str], embed: object, retrieval: Retrieval, *, templates: object) -> np.ndarray:
        self.asked.append(tuple(texts))
        found = [self.members(text) for text in texts]
        return np.stack([np.average(one.vectors, axis=0, weights=one.weights) for one in found]).astype(np.float32)

    def fetch_all(
        self, texts: Sequence[str], embed: object, retrieval: Retrieval, *, templates: object
    ) -> Iterator[RetrievedPrototypes]:
        self.asked.append(tuple(texts))
        return map(self.members, texts)


def parameters(aggregation: str, k: int = 7) -> SegmentationParameters:
    return SegmentationParameters(
        k=k,
        beta=0.8,
        short_side=448,
        long_side=2048,
        window=448,
        stride=224,
        superpixels=SUPERPIXELS,
        aggregation=aggregation,
    )


def features() -> torch.Tensor:
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("way", ["mean_embedding", "mean_similarity", "max_similarity"])
@pytest.mark.parametrize("kept", [0, 10**9])
def test_similarities_are_aggregated_as_asked(way: str, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregation, "VALUES_KEPT", kept)
    monkeypatch.setattr(aggregation, "SIMILARITIES_AT_ONCE", 20)
    shelf = Shelf()
    compare = TextPrototypes(shelf, SimpleNamespace()).comparison(TEXTS, parameters(way), 1)
    found = compare(features())
    assert found.shape == (5, 3)
    for number, text in enumerate(TEXTS):
        members = shelf.members(text)
        weights = members.weights / members.weights.sum()
        for row, feature in enumerate(features()):
            each = functional.cosine_similarity(feature[None], torch.from_numpy(members.vectors)).numpy()
            mean = torch.from_numpy((weights[:, None] * members.vectors).sum(axis=0))
            expected = {
                "mean_embedding": float(functional.cosine_similarity(feature.double(), mean, dim=0)),
                "mean_similarity": float((weights * each).sum()),
                "max_similarity": float(each.max()),
            }[way]
            assert float(found[row, number]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("way", ["mean_similarity", "max_similarity"])
def test_what_was_fetched_is_kept_while_the_bank_stays(way: str) -> None:
    shelf = Shelf()
    prototypes = TextPrototypes(shelf, SimpleNamespace())
    first = prototypes.comparison(TEXTS, parameters(way), 1)
    assert prototypes.comparison(TEXTS, parameters(way), 1) is first
    assert shelf.asked == [TEXTS]
    prototypes.comparison(TEXTS, parameters(way), 2)
    prototypes.comparison(TEXTS[:2], parameters(way), 2)
    prototypes.comparison(TEXTS[:2], parameters(way, k=3), 2)
    assert shelf.asked == [TEXTS, TEXTS, TEXTS[:2], TEXTS[:2]]


@pytest.mark.parametrize("way", ["mean_embedding", "mean_similarity", "max_similarity"])
def test_no_regions_give_no_similarities(way: str) -> None:
    compare = TextPrototypes(Shelf(), SimpleNamespace()).comparison(TEXTS, parameters(way), 1)
    assert compare(torch.empty(0, 6)).shape == (0, 3)


def test_a_single_prototype_makes_all_ways_equal() -> None:
    shelf = Shelf()
    one = shelf.members("dog")
    shelf.members = lambda _: RetrievedPrototypes(("a",), one.scores[:1], one.vectors[:1], one.weights[:1])
    prototypes = TextPrototypes(shelf, SimpleNamespace())
    mean = prototypes.comparison(TEXTS, parameters("mean_embedding"), 1)(features())
    for way in ("mean_similarity", "max_similarity"):
        torch.testing.assert_close(prototypes.comparison(TEXTS, parameters(way), 1)(features()), mean)
