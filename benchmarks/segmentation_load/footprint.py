"""What a process holds at most while it segments: run in a process of its own, so that nothing else counts.

``python -m benchmarks.segmentation_load.footprint WORK`` does one of ``WORKS`` and prints one line of JSON.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import torch
from PIL import Image

from benchmarks.segmentation_load.models import fill_bank, names_of_categories, random_pack
from benchmarks.segmentation_load.photos import photo, photos
from benchmarks.segmentation_load.windows import region_step, window_of_a_photo
from freeda_svc.segmentation import Category, Segmenter

ROOT = Path(__file__).parents[2]
THREADS = 2
CATEGORIES = 150
LARGE = (3000, 4000)
SMALL_PHOTOS, SMALL_SIDE = 32, 256

_BYTES_A_MB = 1e6


@dataclass(frozen=True)
class Footprint:
    """What one process held and took.

    Attributes:
        before_mb: resident before the work, the models among it, in 10^6 bytes.
        peak_mb: the most that was resident during it, above that.
        seconds: that it took.
    """

    before_mb: float
    peak_mb: float
    seconds: float


def measure_footprint(work: str) -> Footprint:
    """Have another process do one of the ``WORKS``."""
    command = [sys.executable, "-m", "benchmarks.segmentation_load.footprint", work]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return Footprint(**json.loads(answer.stdout.splitlines()[-1]))


def _resident(field: str) -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[field].split()[0]) * 1024 / _BYTES_A_MB


def _watch(work: Callable[[], object]) -> Footprint:
    ctypes.CDLL(None).malloc_trim(0)  # what making the models has left behind is no part of them
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    before = _resident("VmRSS")
    started = perf_counter()
    work()
    seconds = perf_counter() - started
    return Footprint(before, _resident("VmHWM") - before, seconds)


def _region_step() -> Footprint:
    window = window_of_a_photo(CATEGORIES)
    return _watch(lambda: region_step(window))


def _encoders() -> Footprint:
    """The models alone on one batch of windows, which is what segmenting cannot do without."""
    pack = random_pack()
    windows = torch.rand(2, 3, 448, 448)

    def encode() -> None:
        pack.backbone.features(windows)
        pack.image_text.embed_images(windows)

    return _watch(encode)


def _large() -> Footprint:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        Image.fromarray(photo("coffee", *LARGE)).save(path, quality=90)
        return _segment([path], Path(folder))


def _batch() -> Footprint:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, small in enumerate(photos(SMALL_PHOTOS, SMALL_SIDE)):
            paths.append(Path(folder) / f"{number}.jpg")
            Image.fromarray(small).save(paths[-1], quality=90)
        return _segment(paths, Path(folder))


def _segment(paths: list[Path], folder: Path) -> Footprint:
    pack = random_pack()
    categories = [Category(name) for name in names_of_categories(CATEGORIES)]
    with fill_bank(pack, folder / "bank", photo("astronaut", 448, 448), CATEGORIES) as store:
        segmenter = Segmenter(pack, store)

        def segment() -> None:
            for found in segmenter.segment_many(paths, categories):
                assert len({*found.labels.ravel().tolist()}) > 1

        return _watch(segment)


WORKS: Mapping[str, Callable[[], Footprint]] = {
    "region_step": _region_step,
    "encoders": _encoders,
    "photo_12mp": _large,
    "batch_32": _batch,
}


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    print(json.dumps(asdict(WORKS[sys.argv[1]]())))
