import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.parameters import RefinementParameters
from freeda_svc.segmentation import pamr
from freeda_svc.segmentation.pamr import refine

PAMR = RefinementParameters(way="pamr")
SMALL = RefinementParameters(way="pamr", iterations=2, dilations=(1, 3))


def restated(image: np.ndarray, scores: np.ndarray, parameters: RefinementParameters) -> np.ndarray:
    """Pixel by pixel, neighbour by neighbour."""
    height, width = image.shape[:2]
    around = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    image = image.astype(np.float64)
    weights = {}
    for y in range(height):
        for x in range(width):
            places = [
                (min(max(y + row * dilation, 0), height - 1), min(max(x + column * dilation, 0), width - 1))
                for dilation in parameters.dilations
                for row, column in around
            ]
            deviation = np.std([image[place] for place in places], axis=0, ddof=1)
            neighbours = [place for number, place in enumerate(places) if around[number % 9] != (0, 0)]
            affinity = [np.mean(-np.abs(image[y, x] - image[place]) / (1e-8 + 0.1 * deviation)) for place in neighbours]
            exponentials = np.exp(np.array(affinity) - max(affinity))
            weights[y, x] = neighbours, exponentials / exponentials.sum()
    for _ in range(parameters.iterations):
        refined = np.empty_like(scores)
        for (y, x), (neighbours, shares) in weights.items():
            refined[:, y, x] = sum(
                share * scores[:, row, column] for (row, column), share in zip(neighbours, shares, strict=True)
            )
        scores = refined
    return scores


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (19, 7), (34, 3)])
@pytest.mark.parametrize(
    "parameters", [SMALL, RefinementParameters(way="pamr", iterations=1, dilations=(1, 2, 4, 8, 12, 24))]
)
def test_scores_are_those_of_the_equations(height: int, width: int, parameters: RefinementParameters) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    scores = rng.random((2, height, width))
    refined = refine(torch.from_numpy(image), torch.from_numpy(scores).float(), parameters)
    np.testing.assert_allclose(refined.numpy(), restated(image, scores, parameters), atol=1e-5)


@given(seed=st.integers(0, 99), size=st.tuples(st.integers(1, 40), st.integers(1, 30)))
def test_scores_stay_between_their_extremes(seed: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (*size, 3), generator=generator, dtype=torch.uint8)
    scores = torch.randn(3, *size, generator=generator)
    refined = refine(image, scores, SMALL)
    for before, after in zip(scores, refined, strict=True):
        assert before.min() - 1e-5 <= after.min() <= after.max() <= before.max() + 1e-5


def test_scores_flow_within_an_object_and_not_across_its_edge() -> None:
    image = torch.zeros(40, 40, 3, dtype=torch.uint8)
    image[:, 20:] = 255
    scores = torch.zeros(1, 40, 40)
    scores[0, 10:30, 4:16] = 1.0  # within the dark half
    refined = refine(image, scores, PAMR)[0]
    assert float(refined[20, 19]) > 0.1  # at the edge, in the dark
    assert float(refined[:, 20:].max()) < 0.05
    assert float(refined[:, 20:].max()) < float(refined[20, 19]) / 10


def test_a_constant_image_averages_its_neighbours() -> None:
    scores = torch.zeros(1, 5, 5)
    scores[0, 2, 2] = 8.0
    refined = refine(
        torch.full((5, 5, 3), 77, dtype=torch.uint8),
        scores,
        RefinementParameters(way="pamr", iterations=1, dilations=(1,)),
    )
    expected = torch.zeros(5, 5)
    expected[1:4, 1:4] = 1.0
    expected[2, 2] = 0.0  # a pixel is no neighbour of itself
    torch.testing.assert_close(refined[0], expected)


def test_each_category_is_refined_on_its_own() -> None:
    generator = torch.Generator().manual_seed(1)
    image = torch.randint(0, 256, (23, 18, 3), generator=generator, dtype=torch.uint8)
    scores = torch.rand(4, 23, 18, generator=generator)
    together = refine(image, scores, SMALL)
    assert torch.equal(together, torch.cat([refine(image, scores[number, None], SMALL) for number in range(4)]))


def test_weights_are_the_same_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (37, 20, 3), generator=generator, dtype=torch.uint8)
    scores = torch.rand(2, 37, 20, generator=generator)
    kept = refine(image, scores, SMALL)
    monkeypatch.setattr(pamr, "WEIGHTS_KEPT", 0)
    assert torch.equal(refine(image, scores, SMALL), kept)
