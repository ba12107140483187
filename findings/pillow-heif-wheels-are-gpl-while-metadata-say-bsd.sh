#!/usr/bin/env bash
# A licence check of installed packages takes pillow-heif for BSD-3-Clause; its wheel holds x265, which is under the GPL.
#
# Versions: pillow-heif 1.8.1 from its Linux wheel for x86-64, Python 3.11.
# Guess before running: metadata name the licence of what is installed, so a check that reads License, License-Expression
#   and the classifiers sees what is under the GPL.
# Seen: the metadata say BSD-3-Clause and no classifier says otherwise; the wheel holds libx265, GPL-2.0, and importing the
#   package loads it, also where HEIC is only read. A text file beside the licence says that the wheel is under the GPL. The
#   variant without the encoder, pi-heif, is discontinued.
# Fails when the metadata name the GPL, or importing the package does not load x265.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check --only-binary :all: pillow-heif==1.8.1

cat > look.py <<'PYTHON'
import re
from importlib.metadata import distribution
from pathlib import Path

found = distribution("pillow-heif")
metadata = found.metadata
said = " ".join(filter(None, [metadata["License"], metadata["License-Expression"], *metadata.get_all("Classifier", [])]))
print("metadata name the GPL:", bool(re.search(r"\bL?GPL|General Public", said)), "| BSD:", "BSD-3-Clause" in said)

import pillow_heif

pillow_heif.register_heif_opener()
loaded = Path("/proc/self/maps").read_text()
print("loaded:", *sorted(set(re.findall(r"/(lib(?:x265|heif|de265))-", loaded))))
bundled = next(file for file in found.files if file.name == "LICENSES_bundled.txt").read_text()
print("x265 is under", re.search(r"Name: x265\nLicense: (\S+)", bundled)[1])
PYTHON
venv/bin/python look.py | tee seen
cat > expected <<'TEXT'
metadata name the GPL: False | BSD: True
loaded: libde265 libheif libx265
x265 is under GPLv2
TEXT
cmp seen expected
