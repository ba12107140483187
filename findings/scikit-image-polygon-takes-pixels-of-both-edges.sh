#!/usr/bin/env bash
# skimage.draw.polygon gives pixels on a shared edge to both polygons; pycocotools gives each pixel to one.
#
# Versions: scikit-image 0.26.0, pycocotools 2.0.11, numpy 2.4.6, Python 3.11.
# Guess before running: both fill a polygon by the even-odd rule, so after the shift of half a pixel between their coordinates
#   (COCO's pixels have their centres at 0.5, scikit-image's at 0) masks are equal up to roundings on slanted edges.
# Seen: where edges run through centres of pixels, scikit-image takes the pixels of all edges. A rectangle of 4 x 3 with corners at
#   half pixels has 20 pixels, its neighbour of 3 x 3 has 16, and 4 of these belong to both. pycocotools draws 12 and 9, none twice.
#   With corners at whole pixels both agree: 12. So a reader of COCO files that fills polygons with scikit-image is right on
#   annotations traced along pixels' borders and wrong on those that people drew.
# Fails when either of them draws otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check scikit-image==0.26.0 pycocotools==2.0.11 numpy==2.4.6

cat > draw.py <<'PYTHON'
import warnings

import numpy as np
from pycocotools import mask
from skimage.draw import polygon

warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' binding is from before NumPy 2
SHAPE = (8, 12)


def by_scikit_image(left, top, right, bottom):
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[polygon(np.array([top, top, bottom, bottom]) - 0.5, np.array([left, right, right, left]) - 0.5, SHAPE)] = True
    return drawn


def by_pycocotools(left, top, right, bottom):
    corners = [left, top, right, top, right, bottom, left, bottom]
    return mask.decode(mask.frPyObjects([corners], *SHAPE))[..., 0] > 0


for draw in (by_scikit_image, by_pycocotools):
    one, other = draw(2.5, 1.5, 6.5, 4.5), draw(6.5, 1.5, 9.5, 4.5)
    print(draw.__name__, one.sum(), other.sum(), (one & other).sum(), draw(2, 1, 6, 4).sum())
PYTHON
venv/bin/python draw.py | tee seen
printf '%s\n' "by_scikit_image 20 16 4 12" "by_pycocotools 12 9 0 12" > expected
cmp seen expected
