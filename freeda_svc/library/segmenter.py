"""Segmenting images into categories given as text."""

import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.batches import ImageOutcome, find_images, segment_images
from freeda_svc.errors import InputError
from freeda_svc.images import LoadedImage, each_image
from freeda_svc.library.arguments import (
    CategoriesLike,
    ImageLike,
    RegionsLike,
    described,
    is_region_way,
    read_categories,
    read_image,
    read_regions,
    to_path,
)
from freeda_svc.library.bank import Bank
from freeda_svc.library.progress import Advance, progress_bar
from freeda_svc.library.regions import pair_files, pair_in_memory
from freeda_svc.library.result import Result
from freeda_svc.library.saving import check_files
from freeda_svc.parameters import (
    PLACES,
    ProposalParameters,
    SegmentationOverrides,
    SegmentationParameters,
    unknown_name,
)
from freeda_svc.segmentation import Category, Evidence, EvidenceLimits, Proposals, Segmentation
from freeda_svc.segmentation import Segmenter as Predictor


class Segmenter:
    """Segments images with the prototypes of a bank and the models of its pack.

    What it has found out of categories is kept, and follows the bank as it grows. Not for several threads at once.
    """

    def __init__(self, bank: Bank) -> None:
        """Take a bank.

        Args:
            bank: what ``open_bank`` returned.

        Raises:
            InputError: it is something else, or was closed.
            UnavailableError: the pack's superpixels need a library that is not installed.
        """
        if not isinstance(bank, Bank):
            raise InputError(f"a Segmenter takes a bank, as freeda_svc.open_bank returns it, not {described(bank)}")
        self._bank = bank
        self._predictor = Predictor(bank.pack, bank.store, bank=bank.name)

    @property
    def bank(self) -> Bank:
        """Whose prototypes are used."""
        return self._bank

    @property
    def parameters(self) -> SegmentationParameters:
        """The pack's parameters, which hold where a call changes nothing."""
        return self._bank.pack.parameters.segmentation

    def segment(
        self,
        image: ImageLike,
        categories: CategoriesLike,
        parameters: SegmentationParameters | None = None,
        *,
        regions: RegionsLike | None = None,
        **changes: Any,  # noqa: ANN401 - checked where they are applied
    ) -> Result:
        """Give every pixel of an image one of the categories, or none.

        Args:
            image: the path of an image file, the bytes of one, a Pillow image, or an array or torch tensor of shape
                (H, W), (H, W, 3) or (H, W, 4) and dtype uint8. An orientation noted in it (EXIF) is obeyed.
            categories: texts such as ``dog``, or ``boat|ship`` for one category with two texts; at least one. Their
                order gives the labels.
            parameters: all parameters at once, such as ``result.segmentation.parameters`` of an earlier result; those
                of the pack when None.
            regions: regions of your own, each of which gets one category: a label map of the upright image's size (an
                array of whole numbers or the path of a PNG file, 0 for no region), masks (an (N, H, W) bool array, or
                a list of masks and COCO run lengths), or the path of a JSON file of these; superpixels lie where no
                region is. Or one of ``superpixels`` and ``masks``, those of the pack's mask generator.
            **changes: single parameters, such as ``k=350``, ``beta=0.8`` or ``unknown="channel"``;
                docs/library.md lists them.

        Returns:
            The result, of the upright image's height and width.

        Raises:
            InputError: image, categories, regions or parameters are not usable, or the bank is empty or closed.
            UnavailableError: the bank does not answer.
        """
        numbers, own = self._parameters(parameters, changes, regions)
        checked = read_categories(categories)
        read = read_image(image, numbers.fill_transparent, many="segment_many")
        read = read_regions(own, read, numbers.regions.overlaps)
        return self._result(self._open().segment(read, checked, numbers), read.pixels, read.name)

    def propose(
        self,
        image: ImageLike,
        parameters: SegmentationParameters | None = None,
        *,
        regions: RegionsLike | None = None,
        **changes: Any,  # noqa: ANN401 - checked where they are applied
    ) -> Proposals:
        """Say which nouns of the bank an image seems to show, without being given categories.

        The first call reads the whole bank; later ones read only what was added since.

        Args:
            image: as ``segment`` takes it.
            parameters: as ``segment`` takes them.
            regions: as ``segment`` takes them.
            **changes: single parameters of proposals, such as ``most=5`` or ``least_area=0.05`` (share of the image);
                ``freeda_svc.parameters.ProposalParameters`` describes them. Also those that ``segment`` takes.

        Returns:
            At least one proposal, the largest first: ``proposals.table()`` has a row for each, with ``noun``,
            ``confidence`` (0 to 1) and ``area_share`` (0 to 1); ``proposals.categories`` is what ``segment`` takes.

        Raises:
            InputError: image or parameters are not usable, or the bank is closed, or has no nouns.
            UnavailableError: the bank does not answer.
        """
        for name in changes:
            if name not in PLACES and name not in ProposalParameters.model_fields:
                raise InputError(unknown_name(name, [*ProposalParameters.model_fields, *PLACES]))
        of_proposals = {name: changes.pop(name) for name in ProposalParameters.model_fields if name in changes}
        proposing = ProposalParameters.read(of_proposals)
        numbers, own = self._parameters(parameters, changes, regions)
        read = read_regions(own, read_image(image, numbers.fill_transparent), numbers.regions.overlaps)
        return self._open().propose(read, numbers, proposing)

    def explain(self, result: Result, *, prototypes: int = 12, categories: int = 6) -> Result:
        """Find out why an image was segmented as it was, for which it goes through the dense backbone again.

        Args:
            result: of a ``Segmenter`` with the same bank.
            prototypes: how many prototypes of each category are named, those first that agree most with its regions.
            categories: for how many categories the parts of the score are named in each region.

        Returns:
            The same result with ``evidence``, which ``save`` writes as the formats ``evidence`` and ``evidence-page``.

        Raises:
            InputError: it is no result, or one of another bank or pack; or the bank is closed; or a number is below 1.
            NotFoundError: prototypes are removed from the bank faster than they can be read.
            UnavailableError: the bank does not answer.
        """
        if not isinstance(result, Result):
            raise InputError(f"explain takes a result, as segment returns it, not {described(result)}")
        if result.segmentation.bank != self._bank.name:
            raise InputError(
                f"the result was made with the bank {result.segmentation.bank}, not with {self._bank.name}: explain "
                "it with a Segmenter of its bank"
            )
        limits = EvidenceLimits(prototypes, categories)
        evidence = self._open().explain(result.image, result.segmentation, limits)
        self._bank.bring_pictures(evidence.thumbnails)
        return self._result(result.segmentation, result.image, result.name, evidence)

    def segment_many(
        self,
        images: str | os.PathLike[str] | Iterable[ImageLike],
        categories: CategoriesLike,
        parameters: SegmentationParameters | None = None,
        *,
        out: str | os.PathLike[str] | None = None,
        formats: Iterable[str] | None = None,
        resume: bool = True,
        recursive: bool = False,
        progress: bool = True,
        skip_broken: bool = False,
        regions: str | os.PathLike[str] | Iterable[RegionsLike | None] | None = None,
        **changes: Any,  # noqa: ANN401 - checked where they are applied
    ) -> Iterator[Result]:
        """Segment several images into the same categories, their windows together through the models.

        With ``out`` the files of each image are written before its result is returned, as `freeda segment --out` does:
        a loop that was left or interrupted continues where it stopped when it is repeated.

        Args:
            images: a folder of images, or several images as ``segment`` takes one (with ``out``: paths); of a
                list or an iterator a few are read at a time.
            categories: as ``segment`` takes them.
            parameters: as ``segment`` takes them.
            out: a folder that files are written to; none are when None.
            formats: which files, as ``save_results`` takes them, and always ``evidence`` and ``evidence-page``; they
                need ``out``.
            resume: pass over images whose files are in ``out`` already, made from the same image, categories,
                parameters and bank; there is no result of them.
            recursive: whether the folders inside of ``images`` are searched, too.
            progress: whether a bar is shown.
            skip_broken: warn of images that cannot be read, and go on with the others.
            regions: regions of your own: as many as there are images, each as ``segment`` takes them (with ``out``:
                paths) or None; or a folder with a file for each image, ``cat.png`` or ``cat.json`` for ``cat.jpg``. Or
                one of ``superpixels`` and ``masks``.
            **changes: as ``segment`` takes them.

        Returns:
            An iterator over the results, in order. Results are large: save or reduce each before the next one.

        Raises:
            InputError: an argument is not usable or the folder has no images, at once; an image cannot be read, when
                its turn comes.
            UnavailableError: the bank does not answer, or files cannot be written.
        """
        numbers, own = self._parameters(parameters, changes, regions)
        checked = read_categories(categories)
        predictor = self._open()
        if out is None and formats is not None:
            raise InputError("formats are of files, which need a folder: give it as out")
        if out is None and not isinstance(images, str | os.PathLike):
            chosen = each_image(images)
            total = len(images) if isinstance(images, list | tuple) else None
            paired = pair_in_memory(images, chosen, own)
            return self._in_memory(predictor, paired, total, checked, numbers, progress=progress, skip=skip_broken)
        found = find_images(_paths(images), recursive=recursive)
        if found.problems and not (skip_broken and found.images):
            raise InputError(found.problems[0])
        for problem in found.problems:
            warnings.warn(f"left out: {problem}", stacklevel=2)
        outcomes = segment_images(
            predictor,
            pair_files(found.images, own),
            checked,
            numbers,
            out=None if out is None else to_path(out),
            artifacts=self._bank.artifacts,
            bring=self._bank.bring_pictures,
            formats=() if formats is None else check_files(formats),
            resume=resume,
        )
        return self._from_files(outcomes, len(found.images), progress=progress, skip=skip_broken)

    def _in_memory(
        self,
        predictor: Predictor,
        images: Iterator[tuple[ImageLike, RegionsLike | None]],
        total: int | None,
        categories: tuple[Category, ...],
        numbers: SegmentationParameters,
        *,
        progress: bool,
        skip: bool,
    ) -> Iterator[Result]:
        waiting: deque[LoadedImage] = deque()
        with progress_bar("segment", total, "image", shown=progress) as advance:
            loaded = _read_ahead(images, waiting, numbers, on_broken=advance if skip else None)
            for segmentation in predictor.segment_many(loaded, categories, numbers):
                advance()
                read = waiting.popleft()
                yield self._result(segmentation, read.pixels, read.name)

    def _from_files(
        self,
        outcomes: Iterator[ImageOutcome],
        total: int,
        *,
        progress: bool,
        skip: bool,
    ) -> Iterator[Result]:
        with progress_bar("segment", total, "image", shown=progress) as advance:
            for outcome in outcomes:
                advance()
                if outcome.error and not skip:
                    raise InputError(outcome.error)
                if outcome.error:
                    warnings.warn(f"left out: {outcome.error}", stacklevel=2)
                elif outcome.segmentation is not None and outcome.loaded is not None:
                    yield self._result(outcome.segmentation, outcome.loaded.pixels, outcome.image.name)

    def __repr__(self) -> str:
        return f"<Segmenter with {self._bank!r}>"

    def _result(
        self,
        segmentation: Segmentation,
        image: npt.NDArray[np.uint8],
        name: str,
        evidence: Evidence | None = None,
    ) -> Result:
        return Result(segmentation, image, name, evidence=evidence, artifacts=self._bank.artifacts)

    def _open(self) -> Predictor:
        """The segmenter of the method, as long as the bank is open."""
        _ = self._bank.store
        return self._predictor

    def _parameters(
        self, parameters: object, changes: Mapping[str, Any], regions: object
    ) -> tuple[SegmentationParameters, Any]:
        """Return all parameters, and the caller's own regions where there are any: a word names a way instead."""
        if is_region_way(regions):
            return self._parameters(parameters, {**changes, "regions": regions}, None)
        if parameters is None:
            parameters = self.parameters
        if not isinstance(parameters, SegmentationParameters):
            raise InputError(
                f"parameters are given by name, such as segment(image, categories, k=350), not as "
                f"{described(parameters)}"
            )
        changed: SegmentationParameters = SegmentationOverrides.read(changes).over(parameters)
        return changed, regions


def _paths(images: str | os.PathLike[str] | Iterable[ImageLike]) -> list[Path]:
    """Return the paths of image files, or of one folder of them.

    Raises:
        InputError: they are something else.
    """
    if isinstance(images, str | os.PathLike):
        path = to_path(images)
        if not path.is_dir():
            raise InputError(f"expected a folder of images or a list of images, not {described(images)}")
        return [path]
    paths = []
    for image in each_image(images):
        if not isinstance(image, str | os.PathLike):
            raise InputError(f"images whose files are written to a folder are given by paths, not {described(image)}")
        paths.append(to_path(image))
    return paths


def _read_ahead(
    images: Iterator[tuple[ImageLike, RegionsLike | None]],
    waiting: deque[LoadedImage],
    numbers: SegmentationParameters,
    on_broken: Advance | None,
) -> Iterator[LoadedImage]:
    """Read images on demand; each is in ``waiting`` until its result is there.

    Args:
        images: those to read, with their regions.
        waiting: gets each image that was read.
        numbers: the colour behind transparent images, and what becomes of masks that overlap.
        on_broken: is called after the warning about an image that cannot be read; None raises the error.

    Raises:
        InputError: an image cannot be read.
    """
    for image, regions in images:
        try:
            loaded = read_regions(regions, read_image(image, numbers.fill_transparent), numbers.regions.overlaps)
        except InputError as error:
            if on_broken is None:
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)
            on_broken()
            continue
        waiting.append(loaded)
        yield loaded
