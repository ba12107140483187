"""What is done for one item: the method is called and its result stored."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from freeda_svc.artifacts import open_artifacts
from freeda_svc.bank.banks import BankName
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.jobs import MOVES, JobKind
from freeda_svc.jobs.banks import bank_of_job
from freeda_svc.jobs.claims import Claim, JobCancelledError, is_cancelled, note_progress
from freeda_svc.jobs.kept_exemplars import read_kept_exemplar
from freeda_svc.jobs.moves import read_move
from freeda_svc.jobs.results import colours_of, kept_result, result_name
from freeda_svc.loggers import logger
from freeda_svc.parameters import SegmentationRequest
from freeda_svc.workers.answering import answer_meanwhile
from freeda_svc.workers.metrics_reports import STORE, note_bank, stage
from freeda_svc.workers.moves import perform_move
from freeda_svc.workers.pauses import pause
from freeda_svc.workers.resources import Resources

if TYPE_CHECKING:
    from freeda_svc.bank import PrototypeStore
    from freeda_svc.images import LoadedImage
    from freeda_svc.parameters import SegmentationParameters
    from freeda_svc.prototypes import BuildResult, Prototype
    from freeda_svc.segmentation import Segmentation

NOTE_SECONDS = 1.0
MOST_TOGETHER = 8
"""So many images are segmented in one go at most: the first waits for the last."""
WRITTEN_AT_ONCE = 4
"""Results of so many images are written at the same time; each waits for the disk."""
_OF_ONE_IMAGE = frozenset(("categories", "colours"))
OUTSIDE = "prototypes of nouns that the pack's models do not know"

log = logger(__name__)


def perform(resources: Resources, claim: Claim) -> dict[str, Any]:
    """Do what an item asks for.

    Args:
        resources: models and bank of this process.
        claim: the current item.

    Returns:
        Its result, for JSON.

    Raises:
        FreedaError: it cannot be done.
        UnavailableError: the worker's models cannot be used.
        JobCancelledError: the job of a move was cancelled.
    """
    if claim.kind in MOVES:  # which needs no models, and no pack
        return perform_move(
            resources, read_move(claim.kind, claim.input), _Noting(resources, claim, ends=True), claim.job_id
        )
    _check_pack(resources, claim)
    resources.prepare(claim.kind)
    return _PERFORMERS[claim.kind](resources, claim)


def _check_pack(resources: Resources, claim: Claim) -> None:
    if claim.fingerprint != resources.pack.fingerprint:
        raise InputError(
            f"the job was submitted for pack {claim.pack}, this worker has {resources.settings.pack}: "
            "start the worker with the job's pack, then retry the job"
        )


def _ingest(resources: Resources, claim: Claim) -> dict[str, Any]:
    from freeda_svc.captions import make_caption  # noqa: PLC0415 - the parent process needs no method

    captions = [caption for text in claim.input["captions"] if (caption := make_caption(text)) is not None]
    bank = bank_of_job(claim.parameters)
    resources.bank(bank)  # an unusable bank is reported before the long work
    noting = _Noting(resources, claim)
    with open_artifacts(resources.settings).filling() as artifacts:
        built = resources.builder.build(
            captions, job=claim.job_id, artifacts=artifacts, on_images=noting, on_step=noting.pause
        )
    return {"captions": len(captions), "images": built.images, **_add(resources, claim, bank, built)}


def _add_exemplars(resources: Resources, claim: Claim) -> dict[str, Any]:
    bank = bank_of_job(claim.parameters)
    resources.bank(bank)  # as above
    exemplars = (read_kept_exemplar(resources.settings, kept) for kept in claim.input["exemplars"])
    with open_artifacts(resources.settings).filling() as artifacts:
        built = resources.exemplar_builder.build(exemplars, job=claim.job_id, artifacts=artifacts)
    return {"exemplars": built.images, **_add(resources, claim, bank, built)}


class _Noting:
    """Notes the progress of the current item, at most once a second, and pauses for what is shorter.

    An item that can be ended at any moment is ended when its job was cancelled.
    """

    def __init__(self, resources: Resources, claim: Claim, *, ends: bool = False) -> None:
        self._resources, self._claim, self._ends = resources, claim, ends
        self._noted = self._answered = time.monotonic()

    def __call__(self, done: int, _total: int = 0) -> None:
        if time.monotonic() >= self._noted + NOTE_SECONDS:
            self._note(done)
            self._noted = time.monotonic()
        self.pause()

    def pause(self) -> None:
        """Do images that wait, and answer questions, those at most once a second."""
        pause()
        if time.monotonic() >= self._answered + NOTE_SECONDS:
            answer_meanwhile(self._resources)
            self._answered = time.monotonic()

    def _note(self, done: int) -> None:
        try:
            is_ours = note_progress(self._resources.settings, self._claim, done)
            self._resources.changes.notify(self._claim.job_id)
            if self._ends and (not is_ours or is_cancelled(self._resources.settings, self._claim)):
                raise JobCancelledError
        except UnavailableError as error:
            log.warning("progress not noted", reason=str(error))


def _add(resources: Resources, claim: Claim, bank: BankName, built: "BuildResult") -> dict[str, int]:
    store = resources.bank(bank)
    with stage(STORE):
        new = store.add(built.prototypes)
        if new < len(built.prototypes):  # perhaps an earlier attempt has added them
            new = _added_by(store, claim.job_id, built.prototypes)
    note_bank(str(bank), store.count)
    return {
        "prototypes": len(built.prototypes),
        "new prototypes": new,  # fewer when another job added the same before
        **({OUTSIDE: built.outside} if built.outside else {}),
        **built.counts,
    }


def _added_by(store: "PrototypeStore", job: str, prototypes: "Sequence[Prototype]") -> int:
    """How many of some prototypes are in the bank because of a job."""
    from freeda_svc.bank import Selection, point_id  # noqa: PLC0415 - the parent process needs no method

    captions = {prototype.caption_id for prototype in prototypes}
    selections = (Selection(job=job, caption_id=caption) for caption in captions)
    of_job = {identifier for selection in selections for identifier in store.select(selection)}
    return len(of_job & {point_id(prototype) for prototype in prototypes})


def most_together(resources: Resources, first: Claim) -> int:
    """Return how many items may be done together with one: images, as many as go through the models at once.

    Images for which categories are proposed, or evidence is kept, are done alone.
    """
    if first.kind is not JobKind.SEGMENT or first.parameters["categories"] is None or first.parameters.get("explain"):
        return 1
    if not resources.has_pack or first.fingerprint != resources.pack.fingerprint:
        return 1
    from freeda_svc.segmentation import windows_at_once  # noqa: PLC0415 - the parent process needs no method

    return min(MOST_TOGETHER, windows_at_once(resources.pack))


def fit_together(first: Claim, other: Claim) -> bool:
    """Return whether two images can be segmented together: all that is asked but categories is the same."""
    shared, of_other = (
        {name: value for name, value in claim.parameters.items() if name not in _OF_ONE_IMAGE}
        for claim in (first, other)
    )
    return first.fingerprint == other.fingerprint and other.parameters["categories"] is not None and shared == of_other


def perform_together(resources: Resources, claims: Sequence[Claim]) -> dict[int, dict[str, Any]]:
    """Do what several items ask for that `fit_together`: their images are segmented in one go.

    Args:
        resources: models and bank of this process.
        claims: the current items.

    Returns:
        The results, for JSON, by the ids of the items; those whose images cannot be read are missing.

    Raises:
        FreedaError: an item cannot be done; it is not known which.
        UnavailableError: the worker's models cannot be used.
    """
    from freeda_svc.outputs import keep_result, summarise  # noqa: PLC0415 - as above

    artifacts, first = open_artifacts(resources.settings), claims[0]
    _check_pack(resources, first)
    resources.prepare(first.kind)
    parameters = SegmentationRequest.read(first.parameters).overrides.over(resources.pack.parameters.segmentation)
    results: dict[int, dict[str, Any]] = {}
    read: deque[Claim] = deque()
    writing: deque[Future[None]] = deque()

    def images() -> Iterator[tuple[Any, Any]]:
        for claim in claims:
            try:
                image = _load(resources, claim, parameters)
            except InputError:
                continue
            read.append(claim)
            yield image, SegmentationRequest.read(claim.parameters).categories or ()

    def keep(claim: Claim, segmentation: "Segmentation") -> None:
        with artifacts.filling() as root:
            folder = root / result_name(claim.job_id, claim.number)
            keep_result(folder, segmentation, colours_of(claim.parameters), claim.input.get("proposals"))

    segmenter = resources.segmenter(bank_of_job(first.parameters))
    with ThreadPoolExecutor(WRITTEN_AT_ONCE, thread_name_prefix="results") as threads:
        for segmentation in segmenter.segment_each(images(), parameters):
            claim = read.popleft()
            writing.append(threads.submit(keep, claim, segmentation))
            results[claim.item_id] = summarise(segmentation, claim.input.get("proposals"))
            while len(writing) >= WRITTEN_AT_ONCE:
                writing.popleft().result()
        with stage(STORE):
            while writing:
                writing.popleft().result()
    return results


def _load(resources: Resources, claim: Claim, parameters: "SegmentationParameters") -> "LoadedImage":
    """Read the image of an item, with its regions where it has any.

    Raises:
        InputError: it cannot be read; calls it by the name that it was submitted with.
    """
    from freeda_svc.images import load_regions, load_visible  # noqa: PLC0415 - as above

    artifacts, rules = open_artifacts(resources.settings), resources.settings.input_rules.anywhere()
    path, name = artifacts.local(claim.input["image"]), claim.input["name"]
    try:
        image = load_visible(path, parameters.fill_transparent, rules)
    except InputError as error:
        raise InputError(str(error).replace(str(path), name)) from error
    if "regions" not in claim.input:
        return image
    size, overlaps = (image.pixels.shape[0], image.pixels.shape[1]), parameters.regions.overlaps
    path = artifacts.local(claim.input["regions"])
    what = f"the file of regions of {name}"
    try:
        return replace(image, regions=load_regions(path, size, overlaps=overlaps, rules=rules, what=what))
    except InputError as error:
        raise InputError(str(error).replace(str(path), what)) from error


def _segment(resources: Resources, claim: Claim) -> dict[str, Any]:
    from freeda_svc.batches import keep_evidence  # noqa: PLC0415 - the parent process needs no method
    from freeda_svc.outputs import keep_result, summarise  # noqa: PLC0415 - as above
    from freeda_svc.segmentation import proposal_values  # noqa: PLC0415 - as above

    settings = resources.settings
    request = SegmentationRequest.read(claim.parameters)
    parameters = request.overrides.over(resources.pack.parameters.segmentation)
    artifacts = open_artifacts(settings)
    image = _load(resources, claim, parameters)
    bank = bank_of_job(claim.parameters)
    segmenter = resources.segmenter(bank)
    if request.only_propose:
        revision = resources.bank(bank).revision()  # before it is read: additions meanwhile count as newer
        return {"proposals": proposal_values(segmenter.propose(image, parameters)), "bank_version": asdict(revision)}
    proposals = segmenter.propose(image, parameters) if request.categories is None else None
    proposed = claim.input.get("proposals") if proposals is None else proposal_values(proposals)
    categories = proposals.categories if proposals is not None else request.categories or ()
    segmentation = segmenter.segment(image, categories, parameters)
    evidence = segmenter.explain(image, segmentation) if request.explain else None
    with stage(STORE), artifacts.filling() as root:
        folder = root / result_name(claim.job_id, claim.number)
        keep_result(folder, segmentation, colours_of(claim.parameters), proposed)
        if evidence is not None:
            with kept_result(settings, claim.job_id, claim.number).colour_notes() as notes:
                keep_evidence(
                    folder,
                    evidence,
                    image.pixels,
                    segmentation.labels,
                    colours=colours_of(claim.parameters),
                    artifacts=artifacts.bring(evidence.thumbnails),
                    title=claim.input["name"],
                    proposals=proposed,
                    notes=notes,
                )
    return summarise(segmentation, proposed)


_PERFORMERS: Mapping[JobKind, Callable[[Resources, Claim], dict[str, Any]]] = {
    JobKind.INGEST: _ingest,
    JobKind.EXEMPLARS: _add_exemplars,
    JobKind.SEGMENT: _segment,
}
