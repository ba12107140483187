import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.segmentation import felzenszwalb

from freeda_svc.segmentation import felzenszwalb as room
from freeda_svc.segmentation.felzenszwalb import cut_felzenszwalb

PUBLISHED = [(100.0, 0.7, 20), (100.0, 1.0, 20), (100.0, 1.0, 100), (20.0, 0.5, 50)]
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))
SETTINGS = {"scale": st.sampled_from([0.0, 3.0, 100.0, 1000.0]), "sigma": st.sampled_from([0.0, 0.5, 1.0])}


def edges_of(image: np.ndarray, sigma: float) -> list[tuple[float, int, int]]:
    """Cost and both ends of every edge, in the order in which they lie in the image."""
    height, width = image.shape[:2]
    smooth = gaussian_filter(image / 255, (sigma, sigma, 0), mode="reflect", truncate=4.0)
    edges = []
    for y in range(height):
        for x in range(width):
            for below, beside in ((y, x + 1), (y + 1, x), (y + 1, x + 1), (y + 1, x - 1)):
                if below < height and 0 <= beside < width:
                    difference = smooth[below, beside] - smooth[y, x]
                    cost = float(np.sqrt(np.sum(difference * difference)))
                    edges.append((cost, y * width + x, below * width + beside))
    return edges


def plainly(image: np.ndarray, scale: float, sigma: float, min_size: int) -> np.ndarray:
    """The algorithm as the paper has it, with sets of pixels."""
    pixels = image.shape[0] * image.shape[1]
    region = {pixel: frozenset({pixel}) for pixel in range(pixels)}
    inside = dict.fromkeys(region.values(), 0.0)
    edges = sorted(edges_of(image, sigma), key=lambda edge: edge[0])  # stable

    def limit(of: frozenset[int]) -> np.float32:
        return np.float32(inside[of] + scale / 255 / len(of))

    def join(one: frozenset[int], other: frozenset[int], cost: float) -> None:
        both = one | other
        inside[both] = cost
        region.update(dict.fromkeys(both, both))

    for cost, start, end in edges:
        one, other = region[start], region[end]
        if one is not other and cost < min(limit(one), limit(other)):
            join(one, other, cost)
    for _, start, end in edges:
        one, other = region[start], region[end]
        if one is not other and min(len(one), len(other)) < min_size:
            join(one, other, 0.0)
    first = [min(region[pixel]) for pixel in range(pixels)]
    return np.unique(first, return_inverse=True)[1].reshape(image.shape[:2])


def poster() -> np.ndarray:
    """Flat squares: most edges between them have the same cost as others."""
    colours = np.random.default_rng(3).integers(0, 4, (28, 28, 3), dtype=np.uint8) * 80
    return colours.repeat(8, axis=0).repeat(8, axis=1)


@settings(max_examples=150, deadline=None)
@given(
    image=arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 90, 255])),
    scale=SETTINGS["scale"],
    sigma=SETTINGS["sigma"],
    min_size=st.integers(0, 12),
)
@example(image=np.zeros((1, 1, 3), dtype=np.uint8), scale=100.0, sigma=0.5, min_size=20)
def test_it_is_the_algorithm_with_ties_decided_by_place(
    image: np.ndarray, scale: float, sigma: float, min_size: int
) -> None:
    found = cut_felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size)
    assert found.dtype == np.int32
    assert np.array_equal(found, plainly(image, scale, sigma, min_size))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)),
    numbers=st.fixed_dictionaries({**SETTINGS, "min_size": st.integers(0, 40)}),
)
def test_where_no_costs_are_equal_it_is_that_of_scikit_image(
    seed: int, shape: tuple[int, int, int], numbers: dict[str, float]
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    costs = [cost for cost, _, _ in edges_of(image, numbers["sigma"])]
    assume(len(set(costs)) == len(costs))
    assert np.array_equal(cut_felzenszwalb(image, **numbers), felzenszwalb(image / 255, **numbers))


@pytest.mark.parametrize(("scale", "sigma", "min_size"), PUBLISHED)
def test_photographs_are_cut_as_by_scikit_image(scale: float, sigma: float, min_size: int) -> None:
    for photo in (data.astronaut(), data.coffee()[:, :448], data.chelsea()):
        window = np.ascontiguousarray(photo[:300, :448])
        expected = felzenszwalb(window / 255, scale=scale, sigma=sigma, min_size=min_size)
        assert np.array_equal(cut_felzenszwalb(window, scale=scale, sigma=sigma, min_size=min_size), expected)


@settings(max_examples=60, deadline=None)
@given(costs=arrays(np.float64, st.integers(0, 400), elements=st.sampled_from([0.0, 1e-9, 2e-9, 1e-7, 0.5, 1.0])))
def test_edges_of_about_the_same_cost_are_sorted_and_equal_ones_keep_their_order(costs: np.ndarray) -> None:
    order = np.argsort(costs, kind="stable")
    found_costs, found = costs.copy(), np.arange(len(costs), dtype=np.int64)
    room.sort_nearly_sorted(found_costs, found, len(costs), np.empty_like(costs), np.empty_like(found))
    assert np.array_equal(found, order)
    assert np.array_equal(found_costs, costs[order])


PRINT_DIGEST = """
import hashlib, sys
import numpy as np
from freeda_svc.segmentation.felzenszwalb import cut_felzenszwalb
image = np.load(sys.argv[1])
print(hashlib.sha256(cut_felzenszwalb(image, scale=100, sigma=0.8, min_size=20).tobytes()).hexdigest())
"""


def test_an_old_processor_gives_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "poster.npy", poster())
    newer = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    older = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(newer),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path / "compiled"),
    }
    digests = [
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST, str(tmp_path / "poster.npy")],
            env={**os.environ, **changed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for changed in ({}, older)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same() -> None:
    names: dict[str, object] = {}
    exec(compile("def twice(value):\n    return 2 * value\n", "<no file>", "exec"), names)
    twice = room.compiled(names["twice"])  # type: ignore[arg-type]
    assert twice(21) == 42
