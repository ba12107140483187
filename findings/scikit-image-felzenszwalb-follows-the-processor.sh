#!/usr/bin/env bash
# scikit-image's felzenszwalb cuts the same picture differently on different processors.
#
# Versions: scikit-image 0.26.0, numpy 2.4.6, scipy 1.17.1, Python 3.11, x86-64 with AVX2 or AVX-512.
# Guess before running: it is compiled code without random numbers or threads, so the same input gives the same labels
#   on every machine.
# Seen: it sorts the costs of all edges with numpy's argsort, which is not stable, and numpy chooses its routine by the
#   features of the processor. A picture of flat squares has many edges of equal cost; they are joined in another order,
#   and the segmentation of one and the same array has other labels, here 1047 or 1046 of them, when numpy may not use the newer
#   instructions. A fleet of unlike machines, or a laptop and a server, thus give unlike superpixels.
# Fails when all routines give the same segments. Passes without a comparison where the processor has neither set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6 scipy==1.17.1

cat > count.py <<'PYTHON'
import hashlib

import numpy as np
from skimage.segmentation import felzenszwalb

colours = np.random.default_rng(3).integers(0, 4, (28, 28, 3), dtype=np.uint8) * 80
poster = colours.repeat(8, axis=0).repeat(8, axis=1)
labels = felzenszwalb(poster / 255, scale=100, sigma=0.8, min_size=20)
print(labels.max() + 1, hashlib.sha256(labels.tobytes()).hexdigest()[:8])
PYTHON
cat > newer.py <<'PYTHON'
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

there = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
wide = [name for name in there if name.startswith(("AVX512", "X86_V4"))]
print(" ".join(wide))
print(" ".join(there))
PYTHON
venv/bin/python newer.py > features
wide=$(sed -n 1p features)
all=$(sed -n 2p features)
if [ -z "$all" ]; then
    echo "this processor has nothing that numpy chooses between: not compared"
    exit 0
fi
as_it_is=$(venv/bin/python count.py)
without_wide=$(NPY_DISABLE_CPU_FEATURES="$wide" venv/bin/python count.py)
baseline=$(NPY_DISABLE_CPU_FEATURES="$all" venv/bin/python count.py)
echo "segments and digest of the labels: $as_it_is as it is, $without_wide without AVX-512, $baseline with the baseline's instructions only"
[ "$as_it_is" != "$baseline" ] || [ "$without_wide" != "$baseline" ]
