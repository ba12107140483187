import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from freeda_svc.encoders import DenseBackbone
from freeda_svc.errors import InputError

SHAPE = {"image_size": 32, "patch_size": 4, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def model() -> Dinov2Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Dinov2Model(Dinov2Config(**SHAPE)).eval()


def images(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_features_are_the_normalised_patch_tokens_of_the_squashed_image(model: Dinov2Model) -> None:
    backbone = DenseBackbone(model, 32)
    photos = images(2, 40, 56)
    squashed = torch.nn.functional.interpolate(photos, size=(32, 32), mode="bilinear", antialias=False)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (squashed - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        tokens = model(pixels).last_hidden_state
    features = backbone.features(photos)
    assert features.shape == (2, backbone.dimension, 8, 8)
    assert features.dtype == torch.float32
    for row, column in [(0, 0), (0, 7), (3, 5)]:
        torch.testing.assert_close(features[:, :, row, column], tokens[:, 1 + 8 * row + column])


def test_features_lie_where_the_image_changes(model: Dinov2Model) -> None:
    backbone = DenseBackbone(model, 32)
    plain = images(1, 32, 32)
    changed = plain.clone()
    changed[..., 4:8, 20:24] = 1 - changed[..., 4:8, 20:24]
    difference = (backbone.features(changed) - backbone.features(plain)).norm(dim=1)[0]
    assert divmod(int(difference.argmax()), 8) == (1, 5)


def test_register_tokens_are_dropped() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SHAPE, num_register_tokens=3)).eval()
    photos = torch.full((1, 3, 32, 32), 0.5)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        tokens = model((photos - mean[:, None, None]) / std[:, None, None]).last_hidden_state
    features = DenseBackbone(model, 32).features(photos)
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), tokens[:, 4:])


def test_another_size_than_the_model_was_trained_at_gives_another_grid(model: Dinov2Model) -> None:
    assert DenseBackbone(model, 48).features(images(1, 30, 30)).shape == (1, 24, 12, 12)


@pytest.mark.parametrize("size", [30, 2, 0])
def test_a_size_that_is_no_multiple_of_the_patches_is_refused(model: Dinov2Model, size: int) -> None:
    with pytest.raises(InputError, match="multiple of the backbone's patches of 4"):
        DenseBackbone(model, size)


@pytest.mark.parametrize(
    "wrong", [torch.zeros(3, 8, 8), torch.zeros(1, 8, 8, 3), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)]
)
def test_what_is_no_batch_of_images_is_refused(model: Dinov2Model, wrong: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        DenseBackbone(model, 32).features(wrong)
