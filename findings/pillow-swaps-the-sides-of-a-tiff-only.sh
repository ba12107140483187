#!/usr/bin/env bash
# Pillow tells the sides of a turned TIFF as they are seen, those of other formats as they are stored, and the tag with both.
#
# Versions: Pillow 13.0.0, Python 3.11.
# Guess before running: Image.open() reads a header, so .size is what the file stores in every format, and whoever wants the upright
#   size without decoding exchanges the sides where the EXIF orientation is 5 to 8.
# Seen: so it is with JPEG, PNG and WebP. A TIFF says the upright size from the beginning, while getexif() still gives the
#   orientation, which load() then takes away: exchanging the sides by the tag gives the stored size, but only of a TIFF that was not
#   loaded yet. ImageOps.exif_transpose() is right each time, because it loads the image.
# Fails when the sizes of these formats agree, or TIFF keeps its tag.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check Pillow==13.0.0

cat > sizes.py <<'PYTHON'
from PIL import Image, ImageOps

ORIENTATION = 0x0112
exif = Image.Exif()
exif[ORIENTATION] = 6  # a quarter turn: 30 x 20 are seen as 20 x 30
for kind in ("jpg", "png", "webp", "tif"):
    Image.new("RGB", (30, 20), "teal").save(f"turned.{kind}", exif=exif)
    image = Image.open(f"turned.{kind}")
    before = image.size, image.getexif().get(ORIENTATION)
    image.load()
    after = image.size, image.getexif().get(ORIENTATION)
    print(kind, *before, *after, ImageOps.exif_transpose(image).size)
PYTHON
venv/bin/python sizes.py | tee seen.txt
cat > expected.txt <<'TEXT'
jpg (30, 20) 6 (30, 20) 6 (20, 30)
png (30, 20) 6 (30, 20) 6 (20, 30)
webp (30, 20) 6 (30, 20) 6 (20, 30)
tif (20, 30) 6 (20, 30) None (20, 30)
TEXT
diff expected.txt seen.txt
