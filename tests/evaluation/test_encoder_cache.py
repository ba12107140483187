import pytest
import torch

from freeda_svc.evaluation.encoder_cache import with_encoder_cache
from freeda_svc.packs import Pack


def test_an_image_is_encoded_once_whatever_batch_it_comes_in(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    encode = pack.backbone.features

    def features(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return encode(images)

    monkeypatch.setattr(pack.backbone, "features", features)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    other = with_encoder_cache(pack)
    first = other.backbone.features(images[:2])
    again = other.backbone.features(images[[1, 2, 0, 2]])
    assert seen == [2, 1]
    assert torch.equal(again[[2, 0]], first)
    assert torch.allclose(again, encode(images[[1, 2, 0, 2]]), atol=1e-5)


def test_embeddings_are_remembered_too_and_all_else_is_the_packs(pack: Pack) -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    other = with_encoder_cache(pack)
    assert torch.equal(other.image_text.embed_images(images), other.image_text.embed_images(images))
    assert torch.allclose(other.image_text.embed_images(images), pack.image_text.embed_images(images), atol=1e-5)
    assert other.fingerprint == pack.fingerprint
    assert other.backbone.dimension == pack.backbone.dimension
    assert torch.equal(other.image_text.embed_nouns(["cat"]), pack.image_text.embed_nouns(["cat"]))


def test_images_of_one_content_and_different_shapes_are_distinguished(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, high = torch.zeros(1, 3, 2, 8), torch.zeros(1, 3, 4, 4)
    calls = []

    def features(images: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(images.shape))
        return torch.zeros(len(images), 1)

    monkeypatch.setattr(pack.backbone, "features", features)
    other = with_encoder_cache(pack)
    other.backbone.features(wide)
    other.backbone.features(high)
    assert calls == [(1, 3, 2, 8), (1, 3, 4, 4)]
