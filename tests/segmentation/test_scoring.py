import math

import pytest
import torch

from freeda_svc.segmentation.scoring import cosine, ensemble


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
