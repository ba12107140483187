from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from freeda_svc.captions import Caption, NounParser, make_caption
from freeda_svc.diffusion import GeneratedImage, Unusable, contrast, weak_mask
from freeda_svc.encoders import ImageTextModel
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import Prototype, builder
from freeda_svc.prototypes.appearance import Region, embed_regions
from freeda_svc.prototypes.builder import CUT_OFF, EMPTY_MASK, NOT_FINITE, WITHOUT_NOUNS, PrototypeBuilder
from freeda_svc.prototypes.equations import pool_prototype


def caption_of(text: str) -> Caption:
    caption = make_caption(text)
    assert caption is not None
    return caption


CAPTIONS = [
    caption_of(text)
    for text in [
        "a red ball on the grass",
        "she is running quickly",
        "a boat in the water under the sky",
        "the moon against the sky",
        "a house near the tree",
        "a car in the sand",
        "a ball " + "near the grass " * 10 + "and a boat",
    ]
]


@pytest.fixture(scope="module")
def parser() -> NounParser:
    return NounParser()


def test_every_noun_of_every_caption_becomes_a_prototype(pack: Pack, parser: NounParser) -> None:
    progress: list[int] = []
    result = PrototypeBuilder(pack, parser).build(CAPTIONS, job="j1", on_images=progress.append)
    nouns = {caption.text: [] for caption in CAPTIONS}
    for prototype in result.prototypes:
        nouns[prototype.caption].append(prototype.noun)
    assert list(nouns.values()) == [
        ["ball", "grass"],
        [],
        ["boat", "water", "sky"],
        ["moon", "sky"],
        ["house", "tree"],
        ["car", "sand"],
        ["ball", "grass"],
    ]
    assert [prototype.caption_id for prototype in result.prototypes] == [
        caption.id for caption in CAPTIONS for _ in nouns[caption.text]
    ]
    assert result.images == 6
    assert progress == [4, 6]
    assert result.counts == {WITHOUT_NOUNS: 1, CUT_OFF: 1}
    for prototype in result.prototypes:
        assert prototype.key.shape == (64,)
        assert prototype.vector.shape == (96,)
        assert prototype.key.dtype == prototype.vector.dtype == np.float32
        assert np.isfinite(prototype.key).all()
        assert np.isfinite(prototype.vector).all()
        assert prototype.pack == pack.fingerprint
        assert prototype.job == "j1"
        assert prototype.image == prototype.mask == ""
        start, end = prototype.spans[0]
        assert prototype.caption[start:end] == prototype.noun


def test_a_prototype_follows_from_equations_1_to_3(pack: Pack, parser: NounParser) -> None:
    [prototype, _] = PrototypeBuilder(pack, parser).build(CAPTIONS[:1]).prototypes
    [image] = pack.generator.generate(CAPTIONS[:1], parser.parse([CAPTIONS[0].text]))
    photo = torch.from_numpy(image.pixels.copy()).permute(2, 0, 1)[None] / 255
    mask = weak_mask(image.attributions[0], 0.45)
    np.testing.assert_allclose(prototype.vector, pool_prototype(pack.backbone.features(photo)[0], mask), atol=1e-4)
    assert prototype.mask_area == pytest.approx(mask.mean())
    assert prototype.contrast == pytest.approx(contrast(image.attributions[0], mask))
    assert prototype.seed == image.seed
    noun = pack.image_text.embed_nouns(["ball"])[0]
    said, seen = pack.image_text.embed_texts([CAPTIONS[0].text])[0], pack.image_text.embed_images(photo)[0]
    np.testing.assert_allclose(prototype.key, (0.9 * noun + 0.1 * said / said.norm()).numpy(), atol=1e-5)
    assert prototype.image_text_score == pytest.approx(float(noun @ seen / seen.norm()), abs=1e-5)
    [appearance] = embed_regions(pack.image_text, [(image.pixels, mask)])
    np.testing.assert_allclose(prototype.appearance, appearance, atol=1e-5)


def test_a_caption_gives_the_same_prototypes_alone_and_in_any_batch(parser: NounParser, tmp_path: Path) -> None:
    builder = PrototypeBuilder(load_pack("miniature"), parser)
    captions = [CAPTIONS[number] for number in (0, 2, 3, 4, 5)]
    kept: dict[tuple[str, str], list[tuple[Prototype, np.ndarray, np.ndarray]]] = {}
    batches = [[caption] for caption in captions[:3]] + [captions, captions[2:] + captions[:2]]
    for number, batch in enumerate(batches):
        folder = tmp_path / str(number)
        for one in builder.build(batch, artifacts=folder).prototypes:
            shown = [np.asarray(Image.open(folder / path)) for path in (one.image, one.mask)]
            kept.setdefault((one.caption_id, one.noun), []).append((one, *shown))
    assert [len(found) for found in kept.values()] == [3] * (2 + 3 + 2) + [2] * (2 + 2)
    for (first, image, mask), *others in kept.values():
        for other, other_image, other_mask in others:
            assert np.abs(image.astype(int) - other_image.astype(int)).max() <= 1
            assert (mask == other_mask).mean() > 0.999
            np.testing.assert_allclose(first.vector, other.vector, atol=1e-3 * np.abs(first.vector).max())
            np.testing.assert_allclose(first.key, other.key, atol=1e-3)
            np.testing.assert_allclose(first.appearance, other.appearance, atol=5e-3)
            assert (first.seed, first.spans) == (other.seed, other.spans)


def test_a_noun_goes_through_the_templates_once_a_pack(
    tiny_pack_folder: Path, parser: NounParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = load_pack(str(tiny_pack_folder))  # has seen no noun yet
    batches: list[list[str]] = []
    embed_texts = fresh.image_text.embed_texts

    def counting(texts: list[str]) -> torch.Tensor:
        batches.append(list(texts))
        return embed_texts(texts)

    monkeypatch.setattr(fresh.image_text, "embed_texts", counting)
    captions = [CAPTIONS[number] for number in (0, 2, 3)]  # ball, grass; boat, water, sky; moon, sky
    PrototypeBuilder(fresh, parser).build(captions)
    assert [len(texts) for texts in batches] == [3, 6 * 7]
    assert batches[0] == [caption.text for caption in captions]
    PrototypeBuilder(fresh, parser).build(captions)
    assert [len(texts) for texts in batches] == [3, 6 * 7, 3]


def test_a_caption_that_comes_twice_counts_once(pack: Pack, parser: NounParser) -> None:
    result = PrototypeBuilder(pack, parser).build([CAPTIONS[0], CAPTIONS[0]])
    assert (result.images, len(result.prototypes)) == (1, 2)


def test_no_captions_and_captions_without_nouns_give_no_prototypes(pack: Pack, parser: NounParser) -> None:
    builder = PrototypeBuilder(pack, parser)
    assert builder.build([]).prototypes == ()
    result = builder.build([CAPTIONS[1]])
    assert (result.prototypes, result.images, result.counts) == ((), 0, {WITHOUT_NOUNS: 1})


def test_thumbnails_show_image_mask_and_attribution(pack: Pack, parser: NounParser, tmp_path: Path) -> None:
    [ball, grass] = PrototypeBuilder(pack, parser).build(CAPTIONS[:1], artifacts=tmp_path).prototypes
    name = f"{ball.caption_id}-{pack.fingerprint}"
    assert ball.image == grass.image == f"thumbnails/{name}.png"
    assert ball.mask == f"thumbnails/{name}.ball.mask.png"
    with Image.open(tmp_path / ball.image) as image, Image.open(tmp_path / ball.mask) as mask:
        assert image.size == mask.size == (64, 64)
        assert np.asarray(mask).mean() == pytest.approx(ball.mask_area)
    with Image.open(tmp_path / ball.mask) as mask, Image.open(tmp_path / ball.attribution) as attribution:
        inside = np.asarray(mask)
        assert np.asarray(attribution)[inside].min() >= np.asarray(attribution)[~inside].max()
    assert len(list((tmp_path / "thumbnails").iterdir())) == 5


def _spoil(pack: Pack, part: str, number: float) -> Pack:
    other = Pack(pack.description, pack.computing)
    vars(other).update(generator=pack.generator, backbone=pack.backbone, image_text=pack.image_text)

    class Spoilt:
        def generate(self, *given: object, **named: object) -> object:
            images = pack.generator.generate(*given, **named)
            return [replace(image, attributions=np.full_like(image.attributions, number)) for image in images]

        def features(self, photos: torch.Tensor) -> torch.Tensor:
            return torch.full_like(pack.backbone.features(photos), number)

    vars(other)[part] = Spoilt()
    return other


@pytest.mark.parametrize(
    ("part", "number", "reason"),
    [
        ("generator", 0.5, EMPTY_MASK),
        ("generator", float("nan"), NOT_FINITE),
        ("backbone", float("inf"), NOT_FINITE),
    ],
)
def test_prototypes_that_are_empty_or_not_finite_never_leave(
    pack: Pack, tmp_path: Path, part: str, number: float, reason: str
) -> None:
    result = PrototypeBuilder(_spoil(pack, part, number)).build(CAPTIONS[:1], artifacts=tmp_path)
    assert result.prototypes == ()
    assert result.counts == {reason: 2}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reason", Unusable)
def test_of_an_image_that_shows_nothing_nothing_is_stored(
    pack: Pack, parser: NounParser, tmp_path: Path, reason: Unusable
) -> None:
    class Spoilt:
        def generate(self, *given: object, **named: object) -> list[GeneratedImage]:
            images = pack.generator.generate(*given, **named)
            return [replace(image, unusable=reason if image.caption == CAPTIONS[3] else None) for image in images]

    other = Pack(pack.description, pack.computing)
    vars(other).update(generator=Spoilt(), backbone=pack.backbone, image_text=pack.image_text)
    captions = [CAPTIONS[number] for number in (0, 2, 3, 4)]
    result = PrototypeBuilder(other, parser).build(captions, artifacts=tmp_path)
    assert (result.images, result.counts) == (4, {reason.value: 1})
    assert [one.noun for one in result.prototypes] == ["ball", "grass", "boat", "water", "sky", "house", "tree"]
    assert {file.name.partition("-")[0] for file in (tmp_path / "thumbnails").iterdir()} == {
        CAPTIONS[number].id for number in (0, 2, 4)
    }
    alone = PrototypeBuilder(other, parser).build([CAPTIONS[3]], artifacts=tmp_path / "alone")
    assert (alone.prototypes, alone.images, alone.counts) == ((), 1, {reason.value: 1})


def test_a_decoder_that_gives_nan_for_one_image_costs_that_caption_alone(
    pack: Pack, parser: NounParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = AutoencoderTiny.decode

    def spoiling(vae: AutoencoderTiny, latents: torch.Tensor, **others: object) -> tuple[torch.Tensor]:
        [images] = decode(vae, latents, **others)
        images[1] = float("nan")
        return (images,)

    monkeypatch.setattr(AutoencoderTiny, "decode", spoiling)
    result = PrototypeBuilder(pack, parser).build([CAPTIONS[0], CAPTIONS[2], CAPTIONS[3]])
    assert [one.noun for one in result.prototypes] == ["ball", "grass", "moon", "sky"]
    assert result.counts == {"images that are not finite": 1}


@pytest.mark.parametrize("value", [1e30, 70_000.0, 0.0])
def test_a_vector_that_no_bank_can_hold_is_counted_and_spoils_no_other(pack: Pack, value: float) -> None:
    class Spoilt:
        def features(self, photos: torch.Tensor) -> torch.Tensor:
            features = pack.backbone.features(photos)
            features[0] = value
            return features

    other = Pack(pack.description, pack.computing)
    vars(other).update(generator=pack.generator, backbone=Spoilt(), image_text=pack.image_text)
    result = PrototypeBuilder(other).build([CAPTIONS[0], CAPTIONS[3]])
    assert [one.noun for one in result.prototypes] == ["moon", "sky"]
    assert result.counts == {NOT_FINITE: 2}


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_of_a_region_that_the_model_does_not_see_nothing_is_stored(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    def spoiling(model: ImageTextModel, regions: list[Region]) -> np.ndarray:
        rows = embed_regions(model, regions)
        rows[1] = value
        return rows

    monkeypatch.setattr(builder, "embed_regions", spoiling)
    result = PrototypeBuilder(pack).build([CAPTIONS[0], CAPTIONS[3]], artifacts=tmp_path)
    assert [one.noun for one in result.prototypes] == ["ball", "moon", "sky"]
    assert result.counts == {NOT_FINITE: 1}
    assert len(list((tmp_path / "thumbnails").iterdir())) == 2 + 2 * 3


def test_nouns_that_the_models_do_not_know_are_counted(pack: Pack, parser: NounParser) -> None:
    assert PrototypeBuilder(pack, parser).build(CAPTIONS[:1]).outside == 0
    narrow = Pack(replace(pack.description, nouns=frozenset({"ball"})), pack.computing)
    vars(narrow).update(generator=pack.generator, backbone=pack.backbone, image_text=pack.image_text)
    result = PrototypeBuilder(narrow, parser).build([CAPTIONS[0], CAPTIONS[3]])
    assert (len(result.prototypes), result.outside) == (4, 3)
