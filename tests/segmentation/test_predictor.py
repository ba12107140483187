from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.errors import InputError
from freeda_svc.packs import Pack, load_pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation import Category, Segmenter, felzenszwalb, parse_categories
from freeda_svc.segmentation.superpixels import cut_superpixels
from tests.bank.store_contract import class_prototypes
from tests.segmentation.toy_bank import NOUNS, fill_bank, make_prototypes, photo

CATEGORIES = parse_categories("ball, tree, grass, sky")


@pytest.fixture
def segmenter(pack: Pack, store: PrototypeStore) -> Segmenter:
    return Segmenter(pack, store)


def test_superpixels_are_compiled_when_a_segmenter_is_made(
    pack: Pack, store: PrototypeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = felzenszwalb.compiled(felzenszwalb.number_regions.py_func)  # type: ignore[attr-defined]
    monkeypatch.setattr(felzenszwalb, "number_regions", fresh)
    segmenter = Segmenter(pack, store)
    assert pack.parameters.segmentation.superpixels.algorithm == "felzenszwalb"
    compiled = list(fresh.signatures)  # type: ignore[attr-defined]
    assert compiled
    segmenter.segment(photo(), CATEGORIES)
    assert list(fresh.signatures) == compiled  # type: ignore[attr-defined]


def restated(
    pack: Pack,
    store: PrototypeStore,
    image: np.ndarray,
    parameters: SegmentationParameters,
    pixel_scores: Callable[..., torch.Tensor],
) -> torch.Tensor:
    """Return (N, 64, 87) scores of a photo seen at 64 x 87: windows at 0 and 23, and nothing shared with the code."""
    names = [category.name for category in CATEGORIES]
    prototypes = torch.from_numpy(class_prototypes(store, pack.image_text.embed_nouns(names).numpy(), parameters.k))
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    seen = functional.interpolate(tensor, size=(64, 87), mode="bilinear").round() / 255
    total, count = torch.zeros(4, 64, 87), torch.zeros(64, 87)
    for left in (0, 23):
        crop = seen[:, :, :, left : left + 64]
        pixels = (crop[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        embedding = pack.image_text.embed_images(crop)
        similarity = functional.cosine_similarity(embedding, pack.image_text.embed_nouns(names))
        superpixels = cut_superpixels(pixels, parameters.superpixels)
        features = pack.backbone.features(crop)[0]
        total[:, :, left : left + 64] += pixel_scores(features, superpixels, prototypes, similarity, parameters.beta)
        count[:, left : left + 64] += 1
    return total / count


def with_changes(pack: Pack, **changes: object) -> SegmentationParameters:
    return pack.parameters.segmentation.replace(stride=63, **changes)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_labels_and_scores_are_those_of_a_plain_restatement(
    pack: Pack,
    store: PrototypeStore,
    segmenter: Segmenter,
    pixel_scores: Callable[..., torch.Tensor],
    beta: float,
) -> None:
    parameters = with_changes(pack, beta=beta)
    scaled = restated(pack, store, photo(), parameters, pixel_scores)
    expected = functional.interpolate(scaled[None], size=(96, 130), mode="bilinear", align_corners=False)[0]
    result = segmenter.segment(photo(), CATEGORIES, parameters)
    best = expected.sort(dim=0).values
    clear = (best[-1] - best[-2] > 1e-4).numpy()
    assert clear.mean() > 0.9
    assert np.array_equal(result.labels[clear], expected.argmax(dim=0).numpy()[clear])
    for index, score in enumerate(result.scores):
        taken = result.labels == index
        assert score.absent == (not taken.any())
        assert score.area_share == pytest.approx(taken.mean())
        assert score.highest_score == pytest.approx(float(scaled[index].max()), abs=1e-4)
        if taken.any():
            assert score.score == pytest.approx(float(expected[index][torch.from_numpy(taken)].mean()), abs=1e-4)
        else:
            assert score.score is None


def test_a_result_says_how_it_was_made(pack: Pack, segmenter: Segmenter) -> None:
    parameters = with_changes(pack, k=2)
    result = segmenter.segment(photo(), CATEGORIES, parameters)
    assert result.labels.shape == (96, 130)
    assert result.labels.dtype == np.int32
    assert result.categories == CATEGORIES
    assert [score.name for score in result.scores] == list(NOUNS)
    assert sum(score.area_share for score in result.scores) == pytest.approx(1)
    assert result.windows == 2
    assert result.regions > 2
    assert result.parameters == parameters
    assert result.pack == pack.fingerprint
    assert result.bank == ""
    assert result.unknown_share == 0
    assert set(result.timings) == {"image", "prototypes", "encoders", "superpixels", "scores"}
    assert all(seconds >= 0 for seconds in result.timings.values())


def test_the_pack_says_how_when_nobody_else_does(pack: Pack, segmenter: Segmenter) -> None:
    assert segmenter.segment(photo(), CATEGORIES).parameters == pack.parameters.segmentation


def test_arrays_pictures_and_files_give_the_same(segmenter: Segmenter, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(photo()).save(path)
    first, second, third = segmenter.segment_many([photo(), Image.fromarray(photo()), path], CATEGORIES)
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.labels, third.labels)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (300, 2), (64, 64), (17, 640)])
def test_any_size_is_segmented(segmenter: Segmenter, size: tuple[int, int]) -> None:
    assert segmenter.segment(photo(*size), CATEGORIES).labels.shape == size


def test_windows_of_many_images_go_through_the_models_together(
    pack: Pack, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = with_changes(pack)
    images = [photo(), photo(64, 64), photo(40, 64), photo(8, 128), photo(64, 90)]  # 2, 1, 2, 7 and 2 windows
    batches = []
    features = pack.backbone.features

    def counting(batch: torch.Tensor) -> torch.Tensor:
        batches.append(len(batch))
        return features(batch)

    apart = [segmenter.segment(image, CATEGORIES, parameters) for image in images]
    monkeypatch.setattr(pack.backbone, "features", counting)
    together = list(segmenter.segment_many(images, CATEGORIES, parameters))
    assert len(batches) < len(images)
    assert sum(batches) == sum(result.windows for result in together)
    for one, other in zip(apart, together, strict=True):
        assert one.labels.shape == other.labels.shape
        assert (one.labels == other.labels).mean() > 0.999
        for score, other_score in zip(one.scores, other.scores, strict=True):
            assert score.highest_score == pytest.approx(other_score.highest_score, abs=1e-5)
        assert set(one.timings) == set(other.timings)


def test_each_image_may_have_categories_of_its_own(segmenter: Segmenter) -> None:
    lists = [CATEGORIES, parse_categories("sky|grass, ball"), CATEGORIES[1:]]
    together = list(segmenter.segment_each((photo(64, 64 + number), asked) for number, asked in enumerate(lists)))
    for number, (asked, result) in enumerate(zip(lists, together, strict=True)):
        alone = segmenter.segment(photo(64, 64 + number), asked)
        assert result.categories == alone.categories == asked
        assert (result.labels == alone.labels).mean() > 0.999
        assert [score.name for score in result.scores] == [score.name for score in alone.scores]
    with pytest.raises(InputError, match="given twice"):
        list(segmenter.segment_each([(photo(), ["ball", "ball"])]))


def test_a_bad_image_comes_after_the_results_of_those_before_it(segmenter: Segmenter, tmp_path: Path) -> None:
    results = segmenter.segment_many([photo(), photo(64, 64), tmp_path / "gone.png", photo()], CATEGORIES)
    assert [next(results).labels.shape, next(results).labels.shape] == [(96, 130), (64, 64)]
    with pytest.raises(InputError, match="no such image file"):
        next(results)


def test_without_superpixels_there_are_no_regions(pack: Pack, segmenter: Segmenter) -> None:
    superpixels = pack.parameters.segmentation.superpixels.replace(algorithm="none")
    assert segmenter.segment(photo(), CATEGORIES, with_changes(pack, superpixels=superpixels)).regions == 0


def test_more_prototypes_than_the_bank_holds_are_all_of_them(pack: Pack, segmenter: Segmenter) -> None:
    all_twelve = segmenter.segment(photo(), CATEGORIES, with_changes(pack, k=12))
    more = segmenter.segment(photo(), CATEGORIES, with_changes(pack, k=5000))
    assert np.array_equal(all_twelve.labels, more.labels)


def test_the_name_is_only_a_name_where_texts_are_given(segmenter: Segmenter) -> None:
    plain = segmenter.segment(photo(), CATEGORIES)
    worded = [Category(f"thing {number}", text=noun) for number, noun in enumerate(NOUNS)]
    assert np.array_equal(segmenter.segment(photo(), worded).labels, plain.labels)


def test_prototypes_come_from_the_prototype_text_alone(pack: Pack, segmenter: Segmenter) -> None:
    parameters = with_changes(pack, beta=1.0, k=3)
    turned = [Category(noun, prototype_text=NOUNS[3 - number]) for number, noun in enumerate(NOUNS)]
    plain = segmenter.segment(photo(), CATEGORIES, parameters)
    assert np.array_equal(3 - segmenter.segment(photo(), turned, parameters).labels, plain.labels)
    globally = with_changes(pack, beta=0.0)  # where prototypes do not count
    assert np.array_equal(
        segmenter.segment(photo(), turned, globally).labels, segmenter.segment(photo(), CATEGORIES, globally).labels
    )


def test_prototypes_are_fetched_once_until_the_bank_grows(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fill_bank(pack, tmp_path)
    segmenter = Segmenter(pack, store)
    asked: list[int] = []
    nearest = store.nearest

    def counting(queries: np.ndarray, k: int, **which: object) -> object:
        asked.append(len(queries))
        return nearest(queries, k, **which)

    monkeypatch.setattr(store, "nearest", counting)
    parameters = with_changes(pack, k=3)
    segmenter.segment(photo(), CATEGORIES, parameters)
    segmenter.segment(photo(), CATEGORIES, parameters)
    assert asked == [4]
    segmenter.segment(photo(), [*CATEGORIES, Category("boat")], parameters)
    assert asked == [4, 1]
    segmenter.segment(photo(), CATEGORIES, parameters.replace(k=2))
    assert asked == [4, 1, 4]
    store.add(make_prototypes(pack, ("ball",), 9))
    after = segmenter.segment(photo(), CATEGORIES, parameters)
    assert asked == [4, 1, 4, 4]
    assert np.array_equal(Segmenter(pack, store).segment(photo(), CATEGORIES, parameters).labels, after.labels)
    store.close()


def test_the_generator_is_never_loaded(tiny_pack_folder: Path, store: PrototypeStore) -> None:
    pack = load_pack(str(tiny_pack_folder))
    Segmenter(pack, store).segment(photo(), CATEGORIES)
    assert "generator" not in vars(pack)


def test_an_empty_bank_is_refused(pack: Pack, tmp_path: Path) -> None:
    empty = make_or_open_folder(
        tmp_path / "empty", pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension
    )
    with pytest.raises(InputError, match="the bank is empty"):
        Segmenter(pack, empty).segment(photo(), CATEGORIES)
    empty.close()


def test_a_bank_of_another_pack_is_refused(pack: Pack) -> None:
    with pytest.raises(InputError, match="the bank was made with pack 0123456789abcdef, but tiny is"):
        Segmenter(pack, SimpleNamespace(pack="0123456789abcdef"))


def test_bad_input_is_refused(pack: Pack, segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no categories given"):
        segmenter.segment(photo(), [])
    with pytest.raises(InputError, match="is given twice"):
        segmenter.segment(photo(), [Category("ball"), Category("ball")])
    with pytest.raises(InputError, match="stride is 65, but must be"):
        segmenter.segment(photo(), CATEGORIES, pack.parameters.segmentation.replace(stride=65))
    with pytest.raises(InputError, match="no such image file"):
        segmenter.segment(tmp_path / "nowhere.png", CATEGORIES)
