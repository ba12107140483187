#!/usr/bin/env bash
# A JPEG 2000 file whose header names the reversible transform need not hold the pixels that were saved.
#
# Versions: Pillow 13.0.0 with OpenJPEG 2.5.4, numpy 2.4.6, Python 3.11.
# Guess before running: the 5-3 wavelet is the lossless one and the 9-7 the lossy one, so the transform in the COD marker
#   tells whether a mask may be trusted; Pillow writes losses only with irreversible=True.
# Seen: with quality_layers=[200], and irreversible left at False, the file names the 5-3 transform, decodes without a warning, and
#   thousands of pixels of a two-valued disc are others, of many values. The stream of coefficients was cut to a size, and no
#   marker says so. Without layers the same call gives every pixel back.
# Fails when such a file says that it has losses, or has none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check Pillow==13.0.0 numpy==2.4.6

cat > save.py <<'PYTHON'
from io import BytesIO

import numpy as np
from PIL import Image

rows, columns = np.mgrid[:960, :1280]
disc = (((rows - 480) ** 2 + (columns - 600) ** 2 < 90000) * 255).astype(np.uint8)
for layers in ([], [200]):
    content = BytesIO()
    Image.fromarray(disc).save(content, "JPEG2000", no_jp2=True, **({"quality_layers": layers} if layers else {}))
    codestream = content.getvalue()
    style = codestream.index(b"\xff\x52")  # the marker; then 2 + 1 + 4 + 4 bytes and the transform, where 1 is 5-3
    content.seek(0)
    read = np.asarray(Image.open(content))
    print("layers", layers, "reversible:", codestream[style + 13] == 1, "same pixels:", bool((read == disc).all()))
    print("more than two values:", len(np.unique(read)) > 2)
PYTHON
venv/bin/python save.py | tee seen
cat > expected <<'TEXT'
layers [] reversible: True same pixels: True
more than two values: False
layers [200] reversible: True same pixels: False
more than two values: True
TEXT
cmp seen expected
