#!/usr/bin/env bash
# transformers' grid of points for SAM 2 covers only part of an image that is not square.
#
# Versions: transformers 5.23.0, torch 2.13.0, torchvision 0.28.0, Python 3.11.
# Guess before running: the processor of each model places the points of automatic mask generation in the image that this model sees.
# Seen: SAM 2's processor squashes an image to 1024 x 1024, while `generate_crop_boxes`, which the pipeline `mask-generation` calls,
#   places the points by the first SAM's rule, which keeps proportions and pads. For an image of 800 x 400 pixels the points end at row 504
#   of 1024: nothing is asked about the lower half, and nothing says so. A square image is covered whole.
# Fails when the points reach all of both images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 torchvision==0.28.0 pillow numpy

cat > points.py <<'PYTHON'
import numpy as np
import torch

try:
    import torchvision
except RuntimeError:  # its compiled part does not fit a build of torch for processors; nothing here runs it
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from PIL import Image
from transformers import Sam2ImageProcessor

processor = Sam2ImageProcessor()
for width, height in ((400, 400), (800, 400)):
    image = Image.fromarray(np.zeros((height, width, 3), dtype=np.uint8))
    seen = tuple(processor(images=[image], return_tensors="pt").pixel_values.shape[-2:])
    _, points, _, _ = processor.generate_crop_boxes(image, 1024, points_per_crop=32)
    print(f"{width} x {height}: model sees {seen}, points reach column {points[..., 0].max():.0f} and row {points[..., 1].max():.0f}")
PYTHON
venv/bin/python points.py | tee seen.txt
diff seen.txt - <<'EXPECTED'
400 x 400: model sees (1024, 1024), points reach column 1008 and row 1008
800 x 400: model sees (1024, 1024), points reach column 1008 and row 504
EXPECTED
