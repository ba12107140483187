"""A pack that is described but has no weights: accepting jobs reads no more, and its items fail at once."""

from pathlib import Path

_PARTS = ("generator", "backbone", "image_text")
_PARAMETERS = """
[parameters]
backbone_size = 64
image_text_size = 64
generation = { steps = 2, guidance_scale = 4.0, height = 64, width = 64, batch_size = 4 }
prototypes = { gamma = 0.45, alpha = 0.9 }

[parameters.segmentation]
k = 5
beta = 0.8
short_side = 64
long_side = 256
window = 64
stride = 32
superpixels = { algorithm = "felzenszwalb", scale = 20.0, sigma = 0.5, min_size = 8 }
"""


def write_described_pack(folder: Path, name: str = "described") -> str:
    """Write its manifest into a folder, which is made; gives the folder as a pack's name."""
    folder.mkdir(exist_ok=True)
    source = '{ description = "none", licence = "Apache-2.0", origin = "tests" }'
    lines = [
        f'name = "{name}"',
        'version = "1"',
        'description = "Described, but without weights."',
        _PARAMETERS,
        "[sources]",
        *(f"{part} = {source}" for part in _PARTS),
        "",
        "[files]",
        *(f'"{part}/weights" = "{"0" * 64}"' for part in _PARTS),
        "",
    ]
    (folder / "pack.toml").write_text("\n".join(lines))
    return str(folder)
