import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from freeda_svc.errors import InputError
from freeda_svc.packs import Computing, Pack
from freeda_svc.parameters import SuperpixelParameters
from freeda_svc.segmentation import encoding
from freeda_svc.segmentation.encoding import Crop, encode_windows, same_size_batches, windows_at_once
from freeda_svc.segmentation.superpixels import cut_superpixels

SUPERPIXELS = SuperpixelParameters(algorithm="felzenszwalb", scale=20.0, sigma=0.5, min_size=8)


def crops(*sizes: tuple[int, int]) -> list[Crop]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def batch_sizes(given: list[Crop], most: int) -> list[int]:
    return [len(batch) for batch in same_size_batches(given, most)]


def test_neighbours_of_one_size_go_together() -> None:
    assert batch_sizes(crops(*[(64, 64)] * 5), 2) == [2, 2, 1]
    assert batch_sizes(crops((64, 64), (64, 64), (64, 40), (64, 64)), 8) == [2, 1, 1]
    assert batch_sizes([], 8) == []


def test_windows_are_seen_as_the_models_see_them_alone(pack: Pack) -> None:
    given = crops((64, 64), (64, 64), (30, 64), (64, 64))
    encoded = list(encode_windows(pack, given, SUPERPIXELS, embed=True))
    for crop, window in zip(given, encoded, strict=True):
        image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
        torch.testing.assert_close(window.features, pack.backbone.features(image)[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(window.embedding, pack.image_text.embed_images(image)[0], atol=1e-4, rtol=1e-4)
        assert np.array_equal(window.superpixels.numpy(), cut_superpixels(crop, SUPERPIXELS))
        assert window.encoder_seconds > 0
        assert window.superpixel_seconds >= 0


def test_nothing_is_embedded_where_nobody_asks(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack.image_text, "embed_images", None)
    (window,) = encode_windows(pack, crops((64, 64)), SUPERPIXELS, embed=False)
    assert window.embedding is None


def test_superpixels_are_cut_while_the_models_compute(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = threading.Event()
    features = pack.backbone.features

    def cutting(crop: Crop, parameters: SuperpixelParameters) -> np.ndarray:
        cut.set()
        return cut_superpixels(crop, parameters)

    def waiting(images: torch.Tensor) -> torch.Tensor:
        assert cut.wait(timeout=120)
        return features(images)

    monkeypatch.setattr(encoding, "cut_superpixels", cutting)
    monkeypatch.setattr(pack.backbone, "features", waiting)
    assert len(list(encode_windows(pack, crops((64, 64)), SUPERPIXELS, embed=False))) == 1


def test_windows_come_before_the_error_of_reading_further(pack: Pack) -> None:
    def reading() -> Iterator[Crop]:
        yield from crops((64, 64))
        raise ValueError("no further")

    encoded = encode_windows(pack, reading(), SUPERPIXELS, embed=False)
    assert next(encoded).features.shape[0] == pack.backbone.dimension
    with pytest.raises(ValueError, match="no further"):
        next(encoded)


def test_no_more_is_read_than_a_batch(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MOST_WINDOWS_AT_ONCE", 2)
    read = []

    def reading() -> Iterator[Crop]:
        for number, crop in enumerate(crops(*[(64, 64)] * 6)):
            read.append(number)
            yield crop

    encoded = encode_windows(pack, reading(), SUPERPIXELS, embed=False)
    next(encoded)
    assert read == [0, 1]
    encoded.close()
    assert read == [0, 1]


def test_an_error_of_the_superpixels_is_not_swallowed(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(crop: Crop, parameters: SuperpixelParameters) -> np.ndarray:
        raise ValueError("cannot be cut")

    monkeypatch.setattr(encoding, "cut_superpixels", failing)
    with pytest.raises(ValueError, match="cannot be cut"):
        list(encode_windows(pack, crops((64, 64)), SUPERPIXELS, embed=False))


@pytest.mark.parametrize(
    ("device", "dense", "image_text", "expected"),
    [("cpu", 518, 224, 2), ("cuda", 518, 224, 16), ("cpu", 64, 64, 32), ("cpu", 2000, 224, 1)],
)
def test_larger_models_see_fewer_windows_at_once(device: str, dense: int, image_text: int, expected: int) -> None:
    parameters = SimpleNamespace(backbone_size=dense, image_text_size=image_text)
    computing = Computing(device, "float32", "float32")
    assert windows_at_once(SimpleNamespace(device=device, parameters=parameters, computing=computing)) == expected
    chosen = replace(computing, windows_at_once=5)
    assert windows_at_once(SimpleNamespace(device=device, parameters=parameters, computing=chosen)) == 5


@pytest.mark.parametrize(("model", "method"), [("backbone", "features"), ("image_text", "embed_images")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_a_model_could_not_compute_is_no_segmentation(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, model: str, method: str, value: float
) -> None:
    compute = getattr(getattr(pack, model), method)

    def spoiling(images: torch.Tensor) -> torch.Tensor:
        values = compute(images)
        values[(-1,) + (0,) * (values.ndim - 1)] = value
        return values

    monkeypatch.setattr(getattr(pack, model), method, spoiling)
    with pytest.raises(
        InputError, match=f"the pack's {model.replace('_', '-')}.* gives values that are not finite for the image"
    ):
        list(encode_windows(pack, crops((64, 64), (64, 64)), SUPERPIXELS, embed=True))
