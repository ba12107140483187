"""A pack on disk whose encoders have the published sizes and random weights.

``python -m benchmarks.memory_load.published_pack FOLDER`` writes it: in a process of its own, which shares no library
with the services whose memory is measured.
"""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

from benchmarks.segmentation_load.models import IMAGE_TEXT, random_backbone, random_image_text
from freeda_svc.packs import BUNDLED
from freeda_svc.packs.manifest import file_checksum
from freeda_svc.parameters import PARTS

# As text, because an earlier commit reads it, too: recipe freeda-vit-b, but for the size of generated images.
_MANIFEST = """\
name = "published-sizes"
version = "1"
description = "DINOv2 B/14 and CLIP B/16 with random weights, the generator of the miniature pack"

[parameters]
backbone_size = 518
image_text_size = 224
generation = { steps = 20, guidance_scale = 4.0, height = 64, width = 64, batch_size = 8 }
prototypes = { gamma = 0.5, alpha = 0.9 }

[parameters.segmentation]
k = 350
beta = 0.8
short_side = 448
long_side = 2048
window = 448
stride = 224
superpixels = { algorithm = "felzenszwalb", scale = 100.0, sigma = 1.0, min_size = 20 }

[sources]
"""


def write_published_pack(folder: Path) -> None:
    """Write the pack into a folder that does not exist yet.

    Its generator is the miniature pack's: segmenting does not read it, and the bank needs a few prototypes only.
    """
    torch.manual_seed(0)
    shutil.copytree(BUNDLED["miniature"] / "generator", folder / "generator")
    random_backbone().save_pretrained(folder / "backbone")
    image_text = folder / "image_text"
    image_text.mkdir()
    model = random_image_text()
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        image_text / "open_clip_model.safetensors",
    )
    preprocessing = open_clip.get_model_preprocess_cfg(model)
    settings = {"model_cfg": open_clip.get_model_config(IMAGE_TEXT), "preprocess_cfg": preprocessing}
    (image_text / "open_clip_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    files = sorted(path for part in PARTS for path in (folder / part).rglob("*") if path.is_file())
    checksums = {path.relative_to(folder).as_posix(): file_checksum(path) for path in files}
    (folder / "pack.toml").write_text(manifest(checksums), encoding="utf-8")


def manifest(checksums: Mapping[str, str]) -> str:
    """Return the pack's ``pack.toml``.

    Args:
        checksums: sha256, hexadecimal, of every file, keyed by its path below the folder.
    """
    source = '{ description = "random weights", licence = "Apache-2.0", origin = "benchmarks" }'
    listed = [f'"{path}" = "{checksum}"' for path, checksum in checksums.items()]
    return _MANIFEST + "\n".join([*(f"{part} = {source}" for part in PARTS), "", "[files]", *listed, ""])


if __name__ == "__main__":
    write_published_pack(Path(sys.argv[1]))
