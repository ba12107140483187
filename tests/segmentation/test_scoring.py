import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.segmentation.scoring import Ensemble, cosine, ensemble


def test_cosines_are_those_of_the_directions() -> None:
    features = torch.tensor([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]])
    prototypes = torch.tensor([[10.0, 0.0], [0.0, 0.5]])
    torch.testing.assert_close(cosine(features, prototypes), torch.tensor([[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]]))


@pytest.mark.parametrize("beta", [0.0, 0.7, 1.0])
def test_the_ensemble_is_a_weighted_sum_after_a_sigmoid(beta: float) -> None:
    local, global_similarity = [[0.2, -0.4], [1.0, 0.0]], [0.31, 0.17]
    scores = ensemble(torch.tensor(local), torch.tensor(global_similarity), beta)
    for region in range(2):
        for category in range(2):
            sigmoid = 1 / (1 + math.exp(-local[region][category]))
            expected = beta * sigmoid + (1 - beta) * global_similarity[category]
            assert float(scores[region, category]) == pytest.approx(expected, abs=1e-6)


def test_the_paper_joins_the_cosine_itself() -> None:
    cosines, similarity = torch.tensor([[0.2, -0.4]]), torch.tensor([0.31, 0.17])
    joined = Ensemble(0.75, "cosine").join(cosines, similarity)
    torch.testing.assert_close(joined.scores, torch.tensor([[0.75 * 0.2 + 0.25 * 0.31, 0.75 * -0.4 + 0.25 * 0.17]]))
    assert torch.equal(joined.local, cosines)


def of_texts(seed: int, texts: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(5, texts, generator=generator) * 2 - 1, torch.rand(texts, generator=generator)


def groups(counts: list[int]) -> list[list[int]]:
    starts = [sum(counts[:number]) for number in range(len(counts))]
    return [list(range(start, start + count)) for start, count in zip(starts, counts, strict=True)]


@given(seed=st.integers(0, 999), counts=st.lists(st.integers(1, 4), min_size=1, max_size=5), beta=st.floats(0, 1))
def test_the_score_of_a_category_is_the_best_of_its_texts(seed: int, counts: list[int], beta: float) -> None:
    cosines, similarity = of_texts(seed, sum(counts))
    single = ensemble(cosines, similarity, beta)
    joined = Ensemble(beta, "sigmoid", tuple(counts), "best").join(cosines, similarity)
    for category, texts in enumerate(groups(counts)):
        assert torch.equal(joined.scores[:, category], single[:, texts].amax(dim=1))
    parts = beta * joined.local + (1 - beta) * joined.global_similarity
    torch.testing.assert_close(parts.expand(5, -1), joined.scores)


@given(seed=st.integers(0, 999), counts=st.lists(st.integers(1, 4), min_size=1, max_size=5), beta=st.floats(0, 1))
def test_with_the_mean_of_synonyms_scores_are_the_mean_of_their_texts(
    seed: int, counts: list[int], beta: float
) -> None:
    cosines, similarity = of_texts(seed, sum(counts))
    single = ensemble(cosines, similarity, beta)
    joined = Ensemble(beta, "sigmoid", tuple(counts), "mean").join(cosines, similarity)
    for category, texts in enumerate(groups(counts)):
        torch.testing.assert_close(joined.scores[:, category], single[:, texts].mean(dim=1))
        torch.testing.assert_close(joined.local[:, category], torch.sigmoid(cosines)[:, texts].mean(dim=1))
    parts = beta * joined.local + (1 - beta) * joined.global_similarity
    torch.testing.assert_close(parts.expand(5, -1), joined.scores)
