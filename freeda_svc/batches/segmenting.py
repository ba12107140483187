"""Segmenting many images in this process, with files, a manifest and resuming as `freeda segment --out` has them."""

import hashlib
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.batches.bank_age import BankAge
from freeda_svc.batches.evidence_files import keep_evidence
from freeda_svc.batches.images import ImageOutcome
from freeda_svc.batches.manifest import ResultsManifest, digest_of_request
from freeda_svc.batches.region_files import digest_of_image
from freeda_svc.batches.results_folder import ResultsFolder, check_writable
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.images import LoadedImage, load_regions, load_visible
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.outputs import (
    EVIDENCE_FORMATS,
    InputImage,
    KeptResult,
    SegmentedImage,
    check_formats,
    extend_colours,
    keep_result,
    make_folder,
)
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation import Category, Segmentation, Segmenter, check_categories

KEPT_RESULTS = ".freeda-results"
"""The subfolder with the results that files for all images need, and with the colours used."""

_DIGITS = 32

Progress = Callable[[int, int], None]
"""Is called with the number of images that are finished, and of all."""


def segment_images(
    segmenter: Segmenter,
    images: Sequence[InputImage],
    categories: Sequence[Category | str],
    parameters: SegmentationParameters | None = None,
    *,
    out: Path | None = None,
    formats: Iterable[str] = (),
    resume: bool = True,
    keep_older: bool = False,
    colours: Sequence[tuple[int, int, int]] = (),
    bank_created: str = "",
    artifacts: Path | None = None,
    bring: Callable[[Iterable[str]], object] | None = None,
    rules: InputRules = ANYWHERE,
    progress: Progress | None = None,
    **collecting: Any,  # noqa: ANN401 - options of write_collections
) -> Iterator[ImageOutcome]:
    """Segment many images into the same categories, their windows together through the models.

    With ``out``, the files of each image are written, and recorded in the folder's manifest, before its outcome is
    yielded. So the loop may be left, interrupted or killed at any moment: the next call continues with what is left.
    Files for all images, such as ``coco.json``, are written after the last outcome, also of images done before.

    Args:
        segmenter: models and bank.
        images: as ``find_images`` returns them.
        categories: at least one, with different names; texts such as ``dog`` or ``cat|kitten`` will do.
        parameters: how to segment; those of the pack when None.
        out: the folder of results; nothing is written when None.
        formats: which files, some of ``freeda_svc.outputs.FORMATS``; mask, overlay and summary when empty.
        resume: skip images whose files are in ``out`` and were made from the same image by the same request, as long
            as the bank has not changed.
        keep_older: also skip those that were made before the bank changed.
        colours: RGB of the first categories, 0 to 255, where they differ from the usual colours.
        bank_created: when the bank was made, which distinguishes it from another bank of the same name.
        artifacts: the folder with the thumbnails of the bank's prototypes, for ``evidence-page``.
        bring: is called with paths of thumbnails before they are looked for there; None where all are there.
        rules: where images must be, and how many pixels they may have.
        progress: is called before the first image and after each.
        collecting: options of files for all images, see ``freeda_svc.outputs.write_collections``.

    Yields:
        One outcome per image, in order. An image that cannot be read has an ``error``, and the others go on.

    Raises:
        InputError: categories, parameters or formats are not usable, the bank is empty, or ``out`` cannot be written.
        UnavailableError: the bank does not answer, or files cannot be written (disk full).
    """
    checked = check_categories(categories)
    chosen = parameters if parameters is not None else segmenter.pack.parameters.segmentation
    folder = None
    if out is not None:
        names = check_formats(formats)
        check_writable(out)
        request = digest_of_request(
            pack=segmenter.pack.fingerprint,
            masks=segmenter.pack.description.masks_fingerprint,
            segmentation=chosen.model_dump(),
            bank=segmenter.bank,
            bank_created=bank_created,
            categories=[category.given() for category in checked],
            colours=colours,
            explain=bool(set(names) & set(EVIDENCE_FORMATS)),
        )
        folder = ResultsFolder(out, names, request, ResultsManifest(out), collecting)
    given = np.array(colours, dtype=np.uint8).reshape(-1, 3)
    batch = _Batch(segmenter, checked, chosen, folder, extend_colours(given, len(checked)), artifacts, bring, rules)
    done = 0
    if progress is not None:
        progress(done, len(images))
    for outcome in batch.run(images, resume=resume, keep_older=keep_older):
        done += 1
        if progress is not None:
            progress(done, len(images))
        yield outcome


@dataclass
class _Task:
    """An image on its way.

    Attributes:
        image: the image.
        content: digest of the file and of its regions' file; empty when no files are written.
        files: those that are there already, by format; None when the image is to be segmented.
        was_older: see ``ImageOutcome``.
        was_otherwise: see ``ImageOutcome``.
        loaded: the pixels, until the outcome has them.
        error: why the image cannot be read.
    """

    image: InputImage
    content: str = ""
    files: Mapping[str, Path] | None = None
    was_older: bool = False
    was_otherwise: bool = False
    loaded: LoadedImage | None = None
    error: str = ""

    def outcome(self, **values: Any) -> ImageOutcome:  # noqa: ANN401 - further values of the outcome
        return ImageOutcome(self.image, was_older=self.was_older, was_otherwise=self.was_otherwise, **values)


@dataclass(frozen=True, eq=False)
class _Batch:
    """One call of ``segment_images``; the attributes are its arguments, checked."""

    segmenter: Segmenter
    categories: tuple[Category, ...]
    parameters: SegmentationParameters
    folder: ResultsFolder | None
    colours: npt.NDArray[np.uint8]
    artifacts: Path | None
    bring: Callable[[Iterable[str]], object] | None
    rules: InputRules

    def run(self, images: Sequence[InputImage], *, resume: bool, keep_older: bool) -> Iterator[ImageOutcome]:
        """Skip what is done, segment the others, and write the files for all images at the end."""
        if self.folder is None:
            yield from self._segment([_Task(image) for image in images])
            return
        age = BankAge(lambda: asdict(self.segmenter.store.revision()), keep_older=keep_older)
        tasks = [self._look_up(self.folder, image, age, resume=resume, keep_older=keep_older) for image in images]
        segmented = self._segment([task for task in tasks if task.files is None])
        pictures = []
        for task in tasks:
            outcome = next(segmented) if task.files is None else task.outcome(files=task.files, was_done=True)
            if self.folder.collects and not outcome.error:
                pictures.append(self._picture(self.folder, task))
            yield outcome
        self.folder.write_for_all(pictures)

    def _look_up(
        self, folder: ResultsFolder, image: InputImage, age: BankAge, *, resume: bool, keep_older: bool
    ) -> _Task:
        """Find out whether the files of an image are there already."""
        task = _Task(image, digest_of_image(image, self.rules))
        task.was_otherwise = folder.has_of_another_request(image.stem, task.content)
        if not resume or not folder.has(image.stem, task.content):
            return task
        task.was_older = age.is_older(folder.manifest.images[image.stem].bank_version)
        if (keep_older or not task.was_older) and (
            not folder.collects or KeptResult(_kept(folder, folder.request, task.content)).whole
        ):
            task.files = {name: folder.path / file for name, file in folder.files(image.stem).items()}
        return task

    def _segment(self, tasks: Sequence[_Task]) -> Iterator[ImageOutcome]:
        """Segment images; yield the outcome of each in order."""
        waiting: deque[_Task] = deque()

        def read() -> Iterator[LoadedImage]:
            for task in tasks:
                waiting.append(task)
                try:
                    loaded = self._load(task.image)
                except InputError as error:
                    task.error = str(error)
                else:
                    task.loaded = loaded
                    yield loaded

        for segmentation in self.segmenter.segment_many(read(), self.categories, self.parameters):
            while waiting[0].error:
                yield waiting[0].outcome(error=waiting.popleft().error)
            yield self._finish(waiting.popleft(), segmentation)
        for task in waiting:
            yield task.outcome(error=task.error)

    def _load(self, image: InputImage) -> LoadedImage:
        loaded = load_visible(image.path, self.parameters.fill_transparent, self.rules)
        if image.regions is None:
            return loaded
        size = loaded.pixels.shape[0], loaded.pixels.shape[1]
        overlaps = self.parameters.regions.overlaps
        return replace(loaded, regions=load_regions(image.regions, size, overlaps=overlaps, rules=self.rules))

    def _finish(self, task: _Task, segmentation: Segmentation) -> ImageOutcome:
        """Write the files of an image."""
        folder, loaded, task.loaded = self.folder, task.loaded, None  # tasks outlive what becomes of their images
        if folder is None:
            return task.outcome(segmentation=segmentation, loaded=loaded)
        before = folder.manifest.images.get(task.image.stem)
        kept = _kept(folder, folder.request, task.content)
        _remove(kept)
        make_folder(kept)
        keep_result(kept, segmentation, self.colours, task.image.proposals)
        if loaded is not None and set(folder.formats) & set(EVIDENCE_FORMATS):
            evidence = self.segmenter.explain(loaded, segmentation)
            if self.bring is not None:
                self.bring(evidence.thumbnails)
            keep_evidence(
                kept,
                evidence,
                loaded.pixels,
                segmentation.labels,
                colours=self.colours,
                artifacts=self.artifacts or kept,
                title=task.image.name,
                proposals=task.image.proposals,
            )
        try:
            files = folder.write(self._picture(folder, task), task.content)
        except (InputError, NotFoundError) as error:  # a name that is too long
            return task.outcome(segmentation=segmentation, loaded=loaded, error=str(error))
        if not folder.collects:
            _remove(kept)
        if before is not None and _kept(folder, before.request, before.image) != kept:
            _remove(_kept(folder, before.request, before.image))
        return task.outcome(segmentation=segmentation, loaded=loaded, files=files)

    def _picture(self, folder: ResultsFolder, task: _Task) -> SegmentedImage:
        kept = KeptResult(_kept(folder, folder.request, task.content))
        return SegmentedImage(task.image, kept, self.colours)


def _kept(folder: ResultsFolder, request: str, content: str) -> Path:
    """Return where the result of an image file and a request is kept."""
    digest = hashlib.sha256(f"{request} {content}".encode()).hexdigest()
    return folder.path / KEPT_RESULTS / digest[:_DIGITS]


def _remove(kept: Path) -> None:
    shutil.rmtree(kept, ignore_errors=True)
