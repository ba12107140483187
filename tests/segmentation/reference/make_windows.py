"""Make the reference windows: run the authors' released inference code on pictures and features of this project.

    git clone https://github.com/aimagelab/freeda /tmp/freeda
    python tests/segmentation/reference/make_windows.py /tmp/freeda tests/segmentation/reference

Their code runs unchanged. Only the two encoders' outputs are replaced, by the arrays that are stored with the
results, and packages that the scoring does not use (mmcv, omegaconf, einops and others) are stood in for.
"""

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import torch
from PIL import Image
from skimage import data

import freeda_svc.torchvision_operators  # noqa: F401 - before the released code imports torchvision
from freeda_svc.miniature.scenes import CROWDED, paint_scene

SIDE, GRID, WIDTH, TEXT_WIDTH = 448, 37, 24, 32
UNUSED = {"mmcv", "omegaconf", "einops", "webdataset", "braceexpand", "termcolor", "mmseg", "nltk", "us.dist_utils"}


class UnusedPackages(MetaPathFinder, Loader):
    """Stands in for packages that are imported, but not used, on the way to the scores."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if {name, name.split(".", maxsplit=1)[0]} & UNUSED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = MagicMock(name=spec.name)
        module.__spec__, module.__path__, module.__all__ = spec, [], []
        module.Registry.return_value.register_module.return_value = lambda cls: cls
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


def released_scores(
    released: Path, arrays: dict[str, np.ndarray], superpixels: dict[str, float]
) -> dict[str, np.ndarray]:
    """Superpixels (H, W), scores (N, H, W) and global similarity (N,) as the released code computes them."""
    if str(released / "src") not in sys.path:
        sys.path.insert(0, str(released / "src"))
        sys.meta_path.insert(0, UnusedPackages())
    freeda = importlib.import_module("models.freeda.freeda")
    extractor = importlib.import_module("models.freeda.mask_proposer.superpixel")
    masker = importlib.import_module("models.freeda.masker")

    features = torch.from_numpy(arrays["features"])
    tokens = torch.cat([torch.zeros(1, features.shape[0]), features.flatten(1).T])[None]  # a class token comes first
    model = freeda.FreeDA.__new__(freeda.FreeDA)
    torch.nn.Module.__init__(model)
    settings = {
        "similarity_type": "cosine", "ensemble_mode": "arithmetic", "ensemble_max_mean": 1.0, "use_k_nn": False,
        "k_nn": None, "use_mask_proposer": True, "mask_proposer": "superpixel", "region_pooling": True,
        "last_attn_keys": False, "use_category_pre_filtering": False, "visual_category_pre_filtering": None,
        "save_clip_features": False, "save_clip_features_dir": None, "save_dino_features": False,
        "save_dino_features_dir": None, "pamr": None,
        "ensemble_dino_clip": float(arrays["beta"]),
        "clip_model": SimpleNamespace(encode_image=lambda _: torch.from_numpy(arrays["image_embedding"])[None]),
        "backbone_model": SimpleNamespace(forward_features=lambda _: tokens),
        "clip_image_preprocess": lambda image: image, "backbone_transforms": lambda image: image,
        "mask_proposer_algorithm": extractor.SuperpixelExtractor({"algorithm": "felzenszwalb", **superpixels}),
        "masker": masker.FreeDAMasker(1.0, "cosine"),
    }  # fmt: skip
    for name, value in settings.items():
        setattr(model, name, value)
    bgr = torch.from_numpy(np.ascontiguousarray(arrays["image"][..., ::-1].transpose(2, 0, 1)))[None].float()
    text, prototypes = torch.from_numpy(arrays["text"]), torch.from_numpy(arrays["prototypes"])[:, None]
    scores, _, _ = model.generate_masks(bgr, [{"ori_filename": "window"}], text, prototypes, None)
    rgb = torch.from_numpy(np.ascontiguousarray(arrays["image"].transpose(2, 0, 1)))[None].float()
    embedding = torch.from_numpy(arrays["image_embedding"])
    return {
        "superpixels": model.mask_proposer_algorithm(rgb)[3][0].numpy().astype(np.int32),
        "scores": scores[0].numpy(),
        "global_similarity": (embedding / embedding.norm() @ text.T).numpy(),
    }


def photo() -> np.ndarray:
    """A photograph in the public domain (scikit-image's ``coffee``, CC0), (448, 448, 3) uint8."""
    return np.asarray(Image.fromarray(data.coffee()[:, 100:500]).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def painted_mosaic() -> np.ndarray:
    """Four times four enlarged scenes of the miniature world with a little noise, (448, 448, 3) uint8."""
    scenes = [[paint_scene([7, row, column], CROWDED).image for column in range(4)] for row in range(4)]
    mosaic = Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in scenes]))
    noise = np.random.default_rng(7).integers(-1, 2, (SIDE, SIDE, 3))
    enlarged = np.asarray(mosaic.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(enlarged + noise, 0, 255).astype(np.uint8)


def inputs(image: np.ndarray, categories: int, beta: float, seed: int) -> dict[str, np.ndarray]:
    """Features that follow the picture's colours, so that regions differ, with noise; prototypes drawn from them."""
    random = np.random.default_rng(seed)
    cells = np.linspace(0, SIDE - 1, GRID).astype(int)
    colours = image[cells][:, cells].reshape(-1, 3) / 255
    features = np.tanh(colours @ random.normal(0, 3, (3, WIDTH))) + random.normal(0, 0.3, (GRID * GRID, WIDTH))
    prototypes = features[random.choice(len(features), categories, replace=False)] * random.uniform(
        0.5, 2, (categories, 1)
    )
    whole, *others = np.linalg.qr(random.normal(0, 1, (TEXT_WIDTH, categories + 1)))[0].T
    text = np.stack(others) + random.normal(0.25, 0.02, (categories, 1)) * whole  # as alike as a real model's
    short = np.float16  # few digits, so that the files are small; the values are used as float32
    return {
        "image": image,
        "features": features.T.reshape(WIDTH, GRID, GRID).astype(short).astype(np.float32),
        "prototypes": prototypes.astype(short).astype(np.float32),
        "text": (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32),
        "image_embedding": whole.astype(np.float32),
        "beta": np.float32(beta),
    }


def main(released: Path, out: Path) -> None:
    """Write one compressed file a window into ``out``."""
    windows = {
        "photo": (photo(), 12, 0.7, {"scale": 100, "sigma": 0.7, "min_size": 20}),
        "painted": (painted_mosaic(), 25, 0.8, {"scale": 100, "sigma": 1.0, "min_size": 20}),
    }
    for seed, (name, (image, categories, beta, superpixels)) in enumerate(windows.items()):
        arrays = inputs(image, categories, beta, seed)
        found = released_scores(released, arrays, superpixels)
        best = np.sort(found["scores"], axis=0)
        np.savez_compressed(
            out / f"window_{name}.npz",
            **arrays,
            superpixels=found["superpixels"],
            global_similarity=found["global_similarity"],
            scores=found["scores"][:, ::16, ::16],
            labels=found["scores"].argmax(0).astype(np.uint8),
            margin_p01=np.float32(np.quantile(best[-1] - best[-2], 0.001)),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
