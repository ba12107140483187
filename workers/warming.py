"""Warming up: what segmenting an image needs is imported, compiled and tried out before a worker calls itself ready."""

import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freeda_svc.errors import FreedaError, InputError, NotFoundError
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.resources import Resources

log = logger(__name__)


def warm_up(resources: Resources) -> None:
    """Do for an image of one window, with the default bank, what is done for every image.

    The first item then takes no longer than the second. Errors are only logged: items fail, or wait, for reasons of
    their own.

    Args:
        resources: models and banks of this process; a bank that was closed is closed again.
    """
    try:
        _segment_one(resources)
    except FreedaError as error:
        log.warning("the first image will take longer than others", reason=str(error))
    except Exception:  # an item must not wait because warming up failed
        log.exception("the first image will take longer than others")


def _segment_one(resources: Resources) -> None:
    from freeda_svc.images import load_visible  # noqa: PLC0415 - only the working process needs the method
    from freeda_svc.outputs import keep_result, palette, summarise  # noqa: PLC0415 - as above
    from freeda_svc.segmentation import Category, encode_windows  # noqa: PLC0415 - as above

    parameters = resources.pack.parameters.segmentation
    with _scratch(resources.settings) as folder:
        image = load_visible(_painted(folder, parameters.window))
        try:
            bank = resources.banks.resolve(resources.settings.bank)
            was_open = resources.is_open(bank)
            try:
                segmentation = resources.segmenter(bank).segment(image, [Category("a")], parameters)
            finally:
                if not was_open:
                    resources.let_go(bank)
        except (NotFoundError, InputError):  # there is no bank yet, or nothing in it, or it is another pack's
            deque(encode_windows(resources.pack, [image.pixels], parameters.superpixels, embed=True), maxlen=0)
            return
        keep_result(folder, segmentation, palette(1))
        summarise(segmentation)


def _painted(folder: Path, side: int) -> Path:
    """A picture in a file, as items have them."""
    import numpy as np  # noqa: PLC0415 - as above
    from PIL import Image  # noqa: PLC0415 - as above

    path = folder / "image.png"
    shades = np.add.outer(np.arange(side), np.arange(side)) * 255 // max(1, 2 * side - 2)
    Image.fromarray(np.repeat(shades[..., None].astype(np.uint8), 3, axis=2)).save(path)
    return path


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """A folder for as long as the block lasts; what a killed process left there is removed."""
    folder = settings.worker_lock.with_suffix(".warming")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
