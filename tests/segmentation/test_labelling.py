import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from freeda_svc.segmentation import labelling
from freeda_svc.segmentation.intersections import MergedRegions, intersect_windows
from freeda_svc.segmentation.merging import score_rows
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

ALL = 10**9
TIE = 1e-6


def regions_of(seed: int, scaled: tuple[int, int], categories: int, *, alone: float = 0.2) -> MergedRegions:
    """One window of blocks with scores at random, and a share of pixels with scores of their own."""
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(0, 6, (scaled[0] // 3 + 1, scaled[1] // 3 + 1), generator=generator)
    superpixels = blocks.repeat_interleave(3, 0).repeat_interleave(3, 1)[: scaled[0], : scaled[1]].clone()
    superpixels[torch.rand(scaled, generator=generator) < alone] = -1
    window = WindowScores(
        superpixels=superpixels,
        by_region=torch.rand(6, categories, generator=generator),
        local=torch.rand(6, categories, generator=generator),
        global_similarity=torch.rand(categories, generator=generator),
        dense=torch.rand(4, 5, categories, generator=generator),
        regions=6,
    )
    return intersect_windows([(Window(0, 0, *scaled), window)], scaled)


def resized(regions: MergedRegions, size: tuple[int, int]) -> torch.Tensor:
    """(N, H, W): every score at every pixel, by torch's own resizing."""
    scaled = (regions.map.shape[0], regions.map.shape[1])
    whole = score_rows(regions, scaled, 0, scaled[0])
    return functional.interpolate(whole[None], size=size, mode="bilinear", align_corners=False)[0]


def labelled(
    regions: MergedRegions, size: tuple[int, int], scores_at_once: int = ALL
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels and scores of the whole image, and the highest scores."""
    rows, labels, scores, highest = zip(*labelling.label_bands(regions, size, scores_at_once), strict=True)
    assert [band.start for band in rows] == [0, *(band.stop for band in rows[:-1])]
    assert rows[-1].stop == size[0]
    return torch.cat(labels), torch.cat(scores), torch.stack(highest).amax(dim=0)


sides = st.integers(1, 40)


@given(
    seed=st.integers(0, 1000),
    scaled=st.tuples(sides, sides),
    size=st.tuples(sides, sides),
    categories=st.sampled_from([1, 2, 3, 8, 30]),
    alone=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
def test_labels_are_those_of_resizing_every_score(
    seed: int, scaled: tuple[int, int], size: tuple[int, int], categories: int, alone: float
) -> None:
    regions = regions_of(seed, scaled, categories, alone=alone)
    labels, scores, _ = labelled(regions, size)
    expected = resized(regions, size)
    torch.testing.assert_close(scores, expected.amax(dim=0), atol=1e-5, rtol=0)
    best = expected.sort(dim=0, descending=True).values
    clear = best[0] - best[min(1, categories - 1)] > 1e-5 if categories > 1 else torch.ones(size, dtype=torch.bool)
    assert torch.equal(labels[clear], expected.argmax(dim=0)[clear])
    assert clear.float().mean() > 0.9 or labels.numel() < 50


@pytest.mark.parametrize("size", [(31, 40), (70, 90), (12, 500), (500, 7)])
def test_labels_are_exactly_those_of_the_plain_way_but_for_ties(size: tuple[int, int]) -> None:
    regions = regions_of(7, (31, 40), 40)
    labels, scores, _ = labelled(regions, size)
    plain = torch.cat([score_rows(regions, size, row, row + 1) for row in range(size[0])], dim=1)
    first, second = plain.topk(2, dim=0).values
    clear = first - second > TIE
    assert torch.equal(labels[clear], plain.argmax(dim=0)[clear])
    assert clear.float().mean() > 0.999
    torch.testing.assert_close(scores, first, atol=1e-6, rtol=0)


def test_of_equal_categories_the_first_is_taken() -> None:
    regions = regions_of(3, (20, 30), 4, alone=0.0)
    doubled = MergedRegions(regions.map, np.repeat(regions.scores, 2, axis=1), regions.members, ())
    assert torch.equal(labelled(doubled, (41, 33))[0], 2 * labelled(regions, (41, 33))[0])


@pytest.mark.parametrize(("pixels", "scores"), [(1, ALL), (300, ALL), (ALL, 1), (ALL, 4000), (50, 4000)])
@pytest.mark.parametrize("size", [(31, 40), (60, 45), (9, 11)])
def test_bands_do_not_change_the_result(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], pixels: int, scores: int
) -> None:
    regions = regions_of(5, (31, 40), 12)
    whole = labelled(regions, size)
    monkeypatch.setattr(labelling, "PIXELS_AT_ONCE", pixels)
    monkeypatch.setattr(labelling, "COMPARED_AT_ONCE", pixels)
    for one, other in zip(labelled(regions, size, scores), whole, strict=True):
        assert torch.equal(one, other)


def test_more_different_neighbours_than_a_key_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = regions_of(6, (31, 40), 12)
    whole = labelled(regions, (60, 45))
    monkeypatch.setattr(labelling, "LARGEST_KEY", 1)
    for one, other in zip(labelled(regions, (60, 45)), whole, strict=True):
        assert torch.equal(one, other)


def test_highest_scores_are_those_of_all_pixels_before_resizing() -> None:
    regions = regions_of(8, (31, 40), 12)
    _, _, highest = labelled(regions, (60, 80))
    assert torch.equal(highest, score_rows(regions, (31, 40), 0, 31).amax(dim=(1, 2)))


def test_few_scores_are_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = regions_of(9, (60, 60), 200, alone=0.0)
    compared = 0
    contested = labelling.contested

    def counting(*given: torch.Tensor) -> object:
        nonlocal compared
        for cells, candidates in contested(*given):
            compared += candidates.numel()
            yield cells, candidates

    monkeypatch.setattr(labelling, "contested", counting)
    labelled(regions, (120, 120))
    assert 0 < compared < 200 * 60 * 60 / 5
