from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freeda_svc.bank.points import point_id
from freeda_svc.miniature.scenes import HARD, NOUNS, Scene, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes.appearance import embed_regions
from freeda_svc.prototypes.builder import EMPTY_MASK, NOT_FINITE
from freeda_svc.prototypes.equations import pool_prototype
from freeda_svc.prototypes.exemplar_builder import EXEMPLARS_AT_ONCE, ExemplarBuilder
from freeda_svc.prototypes.exemplars import Exemplar, make_exemplar
from freeda_svc.prototypes.object_windows import make_photo
from freeda_svc.prototypes.record import EXEMPLAR


@pytest.fixture(scope="module")
def pack(tiny_pack_folder: Path) -> Pack:
    """Encoders only: whoever asks for the generator fails."""
    whole = load_pack(str(tiny_pack_folder))
    without = Pack(whole.description, whole.computing)
    vars(without).update(generator=None, backbone=whole.backbone, image_text=whole.image_text)
    return without


def photo(seed: int = 0, height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def box(height: int = 60, width: int = 90, top: int = 20, left: int = 30, side: int = 16) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_prototype_follows_from_equations_2_and_3(pack: Pack) -> None:
    exemplar = make_exemplar("Excavator  Bucket", photo(), box(), "An excavator bucket in the sand.")
    [prototype] = ExemplarBuilder(pack).build([exemplar], job="j1").prototypes
    seen = make_photo(photo()[16:40, 26:50], 64)[None]  # 24 pixels around the object's 16
    mask = box()[16:40, 26:50]
    np.testing.assert_allclose(prototype.vector, pool_prototype(pack.backbone.features(seen)[0], mask), atol=1e-4)
    noun = pack.image_text.embed_nouns(["excavator bucket"])[0]
    said = pack.image_text.embed_texts(["An excavator bucket in the sand."])[0]
    image = pack.image_text.embed_images(seen)[0]
    np.testing.assert_allclose(prototype.key, (0.9 * noun + 0.1 * said / said.norm()).numpy(), atol=1e-5)
    assert prototype.image_text_score == pytest.approx(float(noun @ image / image.norm()), abs=1e-5)
    assert (prototype.noun, prototype.caption) == ("excavator bucket", "An excavator bucket in the sand.")
    assert prototype.spans == ((3, 19),)
    assert prototype.mask_area == pytest.approx(16 * 16 / (24 * 24))
    assert (prototype.contrast, prototype.seed, prototype.origin) == (1.0, 0, EXEMPLAR)
    [appearance] = embed_regions(pack.image_text, [(photo(), box())])
    np.testing.assert_allclose(prototype.appearance, appearance, atol=1e-5)
    assert (prototype.pack, prototype.job, prototype.caption_id) == (pack.fingerprint, "j1", exemplar.id)
    assert prototype.image == prototype.mask == prototype.attribution == ""
    assert prototype.key.dtype == prototype.vector.dtype == np.float32


def test_without_a_caption_a_plain_one_mentions_the_noun(pack: Pack) -> None:
    [prototype] = ExemplarBuilder(pack).build([make_exemplar("Moon", photo(), box(), "  ")]).prototypes
    assert prototype.caption == "a photo of the moon"
    assert prototype.spans == ((15, 19),)
    said = pack.image_text.embed_texts(["a photo of the moon"])[0]
    noun = pack.image_text.embed_nouns(["moon"])[0]
    np.testing.assert_allclose(prototype.key, (0.9 * noun + 0.1 * said / said.norm()).numpy(), atol=1e-5)


def test_the_same_exemplar_is_the_same_point_whichever_job_adds_it(pack: Pack) -> None:
    builder = ExemplarBuilder(pack)
    exemplars = [make_exemplar(noun, photo(), box(), "a night") for noun in ("moon", "moon", "planet")]
    first = [point_id(one) for one in builder.build(exemplars, job="first").prototypes]
    second = [point_id(one) for one in builder.build(exemplars, job="second").prototypes]
    assert first == second
    assert first[0] == first[1] != first[2]


def test_an_exemplar_gives_the_same_prototype_alone_and_in_any_batch(pack: Pack) -> None:
    builder = ExemplarBuilder(pack)
    exemplars = [
        make_exemplar("moon", photo(number, 40 + number, 70), box(40 + number, 70, side=10 + number))
        for number in range(EXEMPLARS_AT_ONCE + 3)
    ]
    done: list[int] = []
    together = builder.build(iter(exemplars), on_images=done.append)
    assert done == [EXEMPLARS_AT_ONCE, len(exemplars)]
    assert together.images == len(together.prototypes) == len(exemplars)
    for exemplar, one in zip(exemplars, together.prototypes, strict=True):
        [alone] = builder.build([exemplar]).prototypes
        np.testing.assert_allclose(one.vector, alone.vector, atol=1e-3 * np.abs(alone.vector).max())
        np.testing.assert_allclose(one.key, alone.key, atol=1e-4)
        np.testing.assert_allclose(one.appearance, alone.appearance, atol=1e-4)
        assert one.caption_id == alone.caption_id == exemplar.id


def test_images_are_taken_a_batch_at_a_time(pack: Pack) -> None:
    taken: list[int] = []

    def given() -> Iterator[Exemplar]:
        for number in range(2 * EXEMPLARS_AT_ONCE):
            taken.append(number)
            yield make_exemplar("moon", photo(), box())

    ExemplarBuilder(pack).build(given(), on_images=lambda done: taken.append(-done))
    assert taken.index(-EXEMPLARS_AT_ONCE) == EXEMPLARS_AT_ONCE


def test_no_exemplars_give_no_prototypes(pack: Pack) -> None:
    result = ExemplarBuilder(pack).build([])
    assert (result.prototypes, result.images, dict(result.counts)) == ((), 0, {})


def test_thumbnails_show_the_window_and_the_mask_in_it(pack: Pack, tmp_path: Path) -> None:
    exemplar = make_exemplar("excavator bucket", photo(), box())
    [prototype] = ExemplarBuilder(pack).build([exemplar], artifacts=tmp_path).prototypes
    assert prototype.image == f"thumbnails/{exemplar.id}.png"
    with Image.open(tmp_path / prototype.image) as image, Image.open(tmp_path / prototype.mask) as mask:
        assert np.array_equal(np.asarray(image), photo()[16:40, 26:50])
        assert np.array_equal(np.asarray(mask), box()[16:40, 26:50])
    assert prototype.attribution == ""
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2


def test_masks_that_weigh_nothing_on_the_grid_are_counted(pack: Pack, tmp_path: Path) -> None:
    mask = np.zeros((640, 640), dtype=bool)
    mask[[10, 600], [10, 600]] = True  # between the places that the resizing reads
    exemplars = [make_exemplar("moon", photo(0, 640, 640), mask), make_exemplar("moon", photo(), box())]
    result = ExemplarBuilder(pack).build(exemplars, artifacts=tmp_path)
    assert result.counts == {EMPTY_MASK: 1}
    assert result.images == 2
    assert [one.caption_id for one in result.prototypes] == [exemplars[1].id]
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["backbone", "image_text"])
def test_values_that_are_not_finite_never_leave(pack: Pack, part: str, number: float) -> None:
    class Spoilt:
        size, dimension, mean_colour = pack.backbone.size, pack.image_text.dimension, pack.image_text.mean_colour
        embed_texts, embed_images = pack.image_text.embed_texts, pack.image_text.embed_images

        def features(self, photos: torch.Tensor) -> torch.Tensor:
            return torch.full_like(pack.backbone.features(photos), number)

        def embed_nouns(self, nouns: list[str]) -> torch.Tensor:
            return torch.full_like(pack.image_text.embed_nouns(nouns), number)

    other = Pack(pack.description, pack.computing)
    vars(other).update(backbone=pack.backbone, image_text=pack.image_text)
    vars(other)[part] = Spoilt()
    result = ExemplarBuilder(other).build([make_exemplar("moon", photo(), box())])
    assert (result.prototypes, result.counts) == ((), {NOT_FINITE: 1})


def test_a_window_of_one_flat_colour_is_counted_and_not_stored(pack: Pack, tmp_path: Path) -> None:
    flat = photo()
    flat[10:46, 20:56] = 0  # around the box
    exemplars = [make_exemplar("moon", flat, box()), make_exemplar("moon", photo(), box())]
    result = ExemplarBuilder(pack).build(exemplars, artifacts=tmp_path)
    assert (result.images, result.counts) == (2, {"exemplars of one flat colour": 1})
    assert [one.caption_id for one in result.prototypes] == [exemplars[1].id]
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2
    alone = ExemplarBuilder(pack).build(exemplars[:1])
    assert (alone.prototypes, alone.images, alone.counts) == ((), 1, {"exemplars of one flat colour": 1})


def test_nouns_that_the_models_do_not_know_are_counted(pack: Pack) -> None:
    exemplars = [make_exemplar(noun, photo(), box()) for noun in ("moon", "excavator bucket")]
    assert ExemplarBuilder(pack).build(exemplars).outside == 0
    narrow = Pack(replace(pack.description, nouns=frozenset({"moon"})), pack.computing)
    vars(narrow).update(backbone=pack.backbone, image_text=pack.image_text)
    assert ExemplarBuilder(narrow).build(exemplars).outside == 1


def _of(noun: str, number: int) -> Scene:
    scenes = (paint_scene((1, 7, number, attempt), HARD, thing=noun) for attempt in range(100))
    return next(scene for scene in scenes if (scene.labels == NOUNS.index(noun)).sum() >= 100)


def test_a_small_object_in_a_large_picture_looks_like_a_large_one() -> None:
    builder = ExemplarBuilder(load_pack("miniature"))
    found: dict[str, list[np.ndarray]] = {}
    for noun in ("fish", "ball", "flower"):
        scene = _of(noun, 0)
        around = [paint_scene((1, 8, number), HARD).image for number in range(16)]
        around[5] = scene.image
        picture = np.concatenate([np.concatenate(around[row : row + 4], axis=1) for row in range(0, 16, 4)])
        mask = np.zeros(picture.shape[:2], dtype=bool)
        mask[64:128, 64:128] = scene.labels == NOUNS.index(noun)
        other = _of(noun, 1)
        exemplars = [
            make_exemplar(noun, picture, mask),
            make_exemplar(noun, other.image, other.labels == NOUNS.index(noun)),
        ]
        vectors = [one.vector for one in builder.build(exemplars).prototypes]
        found[noun] = [vector / np.linalg.norm(vector) for vector in vectors]
    for noun, (small, _) in found.items():
        nearest = max(found, key=lambda name: float(small @ found[name][1]))
        assert nearest == noun
