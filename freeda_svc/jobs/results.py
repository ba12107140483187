"""Where the results of segmentation items lie, and handing them out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Integer, Table, bindparam, select
from sqlalchemy.orm import Session

from freeda_svc.artifacts import open_artifacts
from freeda_svc.batches import ImageOutcome, digest_of_parts, distinct_stems
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs.control import find_job_in, get_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.progress import ItemSummary, JobSummary
from freeda_svc.jobs.segmentation_requests import ONLY_PROPOSE
from freeda_svc.jobs.states import ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.jobs.units import item_name
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from freeda_svc.outputs import KeptResult, SegmentedImage

RESULTS = "results"
_jobs, _items = cast("Table", Job.__table__), cast("Table", WorkItem.__table__)
_JOB = select(_jobs.c.kind, _jobs.c.state, _jobs.c.parameters).where(_jobs.c.id == bindparam("the_job"))
_NUMBERED = (
    select(_items.c.number, _items.c.input, _items.c.state, _items.c.attempts, _items.c.error, _items.c.result)
    .where(_items.c.job_id == bindparam("the_job"), _items.c.number > bindparam("the_last"))
    .order_by(_items.c.number)
)
_FIRST_NUMBERED = _NUMBERED.limit(bindparam("the_most", type_=Integer))


@dataclass(frozen=True)
class SubmittedImage:
    """An image of a segmentation job.

    Attributes:
        job: the job's id.
        number: of the item within its job.
        state: of the item.
        kept: the image's copy, as a path below the artifact root.
        name: what it was called at submission.
        stem: what its files are called, without their endings.
        regions: SHA-256 of the file with regions of the caller's own; empty where there is none.
    """

    job: str
    number: int
    state: ItemState
    kept: str
    name: str
    stem: str
    regions: str = ""

    @property
    def content(self) -> str:
        """SHA-256 of the image file, after which its copy is called."""
        return Path(self.kept).stem

    @property
    def made_from(self) -> str:
        """Digest of the image file and its regions' file, as ``freeda_svc.batches.digest_of_image`` returns it."""
        return digest_of_parts(self.content, self.regions)


@dataclass(frozen=True)
class SegmentedItems:
    """A segmentation job and some of its images.

    Attributes:
        job: its id.
        state: its state.
        parameters: what holds for all images.
        items: the images and how far each is, in the order of submission.
    """

    job: str
    state: JobState
    parameters: Mapping[str, Any]
    items: list[tuple[SubmittedImage, ItemSummary]]


def results_of_job(job_id: str) -> str:
    """Return the name of the results of a job's items among the artifacts."""
    return f"{RESULTS}/{job_id}"


def result_name(job_id: str, number: int) -> str:
    """Return the name of an item's results among the artifacts."""
    return f"{results_of_job(job_id)}/{number}"


def result_folder(settings: Settings, job_id: str, number: int) -> Path:
    """Return where an item's results, or copies of them, lie on this machine."""
    return settings.artifacts_folder / result_name(job_id, number)


def kept_result(settings: Settings, job_id: str, number: int) -> "KeptResult":
    """Return what is kept of an item's result."""
    from freeda_svc.outputs import KeptResult  # noqa: PLC0415 - listing jobs does without it

    if not settings.artifacts_on_s3:
        return KeptResult(result_folder(settings, job_id, number))
    from freeda_svc.jobs.stored_results import StoredResult  # noqa: PLC0415 - as above

    return StoredResult(open_artifacts(settings), result_name(job_id, number))


def colours_of(parameters: Mapping[str, Any]) -> "npt.NDArray[np.uint8]":
    """Return the (N, 3) uint8 RGB colours of a job's categories; as many as there are where none are named."""
    import numpy as np  # noqa: PLC0415 - listing jobs does without it

    from freeda_svc.outputs import MOST_COLOURS, extend_colours  # noqa: PLC0415 - as above

    given = np.array(parameters.get("colours", ()), dtype=np.uint8).reshape(-1, 3)
    categories = parameters["categories"]
    return extend_colours(given, MOST_COLOURS if categories is None else len(categories))


def submitted_images(
    settings: Settings, job_id: str, *, after: int = 0, limit: int | None = None
) -> list[SubmittedImage]:
    """List the images of a segmentation job, in the order of submission.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        after: only images with a higher number.
        limit: how many at most; all when None.

    Raises:
        NotFoundError: there is no such job, or it is not a segmentation job.
    """
    return [image for image, _ in segmented_items(settings, job_id, after=after, limit=limit).items]


def segmented_items(settings: Settings, job_id: str, *, after: int = 0, limit: int | None = None) -> SegmentedItems:
    """Return a segmentation job with some of its images, from one look at the database.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        after: only images with a higher number.
        limit: how many at most; all when None.

    Raises:
        NotFoundError: there is no such job, or it is not a segmentation job.
    """
    with reading(settings) as session:
        full_id = find_job_in(session, job_id)
        job = session.execute(_JOB, {"the_job": full_id}).one_or_none()
        if job is None:
            raise NotFoundError(f"there is no job {full_id!r} any more; `freeda jobs list` shows them")
        if job.kind != JobKind.SEGMENT:
            raise NotFoundError(f"job {full_id} adds to the bank; only segmentation jobs have results to export")
        wanted = {"the_job": full_id, "the_last": after}
        rows = (
            session.execute(_NUMBERED, wanted)
            if limit is None
            else session.execute(_FIRST_NUMBERED, {**wanted, "the_most": limit})
        ).all()
        stems = {} if all("stem" in row.input for row in rows) else _missing_stems(session, full_id)
    items = []
    for number, given, state, attempts, error, result in rows:
        stem = given.get("stem") or stems[number]
        regions = Path(given.get("regions", "")).stem
        image = SubmittedImage(full_id, number, ItemState(state), given["image"], given["name"], stem, regions)
        items.append((image, ItemSummary(number, item_name(given), image.state, attempts, error, result)))
    return SegmentedItems(full_id, JobState(job.state), job.parameters, items)


def _missing_stems(session: Session, job_id: str) -> dict[int, str]:
    """Return the stems of a job's images by their numbers, where it was submitted without."""
    of_job = select(WorkItem.number, WorkItem.input).where(WorkItem.job_id == job_id).order_by(WorkItem.number)
    names = {number: str(given["name"]) for number, given in session.execute(of_job)}
    return dict(zip(names, distinct_stems(list(names.values())), strict=True))


def item_states(settings: Settings, job_id: str) -> dict[int, ItemState]:
    """Return the states of a job's items by their numbers; ``job_id`` is complete."""
    with reading(settings) as session:
        rows = session.execute(select(WorkItem.number, WorkItem.state).where(WorkItem.job_id == job_id))
        return {number: ItemState(state) for number, state in rows}


def why_no_results(job: JobSummary) -> str:
    """Return why a segmentation job has no results, and what to do."""
    if job.state == JobState.CANCELLED:
        return f"job {job.id} was cancelled before an image was done"
    if job.state == JobState.FAILED:
        return f"no image of job {job.id} could be segmented; `freeda jobs errors {job.id}` shows why"
    return f"no image of job {job.id} is done yet; `freeda jobs watch {job.id}` follows it"


def failure_reasons(items_of: "Callable[[str], Iterable[ItemSummary]]", failed: Sequence[SubmittedImage]) -> list[str]:
    """Return a line for each image that was not segmented, with the reason.

    Args:
        items_of: returns the items of a job, as ``job_items`` does.
        failed: of one or several jobs.
    """
    reasons = []
    for job in sorted({image.job for image in failed}):
        items = {item.number: item for item in items_of(job)}
        for image in failed:
            if image.job == job:
                item = items[image.number]
                reasons.append(f"item {item.number} ({image.name}): {item.error or f'it was {item.state}'}")
    return reasons


def proposals_of(settings: Settings, job_id: str) -> dict[int, Mapping[str, Any]]:
    """Return what a job that only proposes has found out, by the numbers of its items that are done.

    Each has ``proposals``, as ``freeda_svc.segmentation.proposal_values`` returns them, and ``bank_version``.
    """
    with reading(settings) as session:
        done = WorkItem.job_id == job_id, WorkItem.state == ItemState.DONE
        rows = session.execute(select(WorkItem.number, WorkItem.result).where(*done))
        return {number: result for number, result in rows if result is not None}


def pictures_of(settings: Settings, images: Sequence[SubmittedImage]) -> "list[SegmentedImage]":
    """Return what the files of images are made of, in their order; they may belong to several jobs."""
    from freeda_svc.outputs import InputImage, SegmentedImage  # noqa: PLC0415 - listing jobs does without it

    artifacts = open_artifacts(settings)
    colours = {job: _colours_of_job(settings, job) for job in {image.job for image in images}}
    return [
        SegmentedImage(
            InputImage(artifacts.folder / image.kept, image.name, image.stem),
            kept_result(settings, image.job, image.number),
            colours[image.job],
            partial(artifacts.local, image.kept),
        )
        for image in images
    ]


def continue_colours(settings: Settings, job_id: str, earlier: Sequence[str]) -> None:
    """Let a new job show categories in the colours that the last of some earlier ones has shown them in.

    Args:
        settings: the installation.
        job_id: of the new job, complete.
        earlier: ids of jobs whose pictures are in the same folder; those whose results are gone do not count.

    Raises:
        UnavailableError: the artifacts cannot be written.
    """
    from freeda_svc.outputs import COLOURS_FILE  # noqa: PLC0415 - listing jobs needs none

    artifacts = open_artifacts(settings)
    noted = [notes for job in earlier if artifacts.exists(notes := f"{results_of_job(job)}/{COLOURS_FILE}")]
    new = f"{results_of_job(job_id)}/{COLOURS_FILE}"
    if noted and not artifacts.exists(new):  # a worker may have been faster
        artifacts.write(new, artifacts.read(noted[-1]))


def _colours_of_job(settings: Settings, job_id: str) -> "npt.NDArray[np.uint8]":
    with reading(settings) as session:
        return colours_of(get_job(session, job_id).parameters)


def _only_proposes(settings: Settings, job_id: str) -> bool:
    with reading(settings) as session:
        return bool(get_job(session, job_id).parameters.get(ONLY_PROPOSE))


def export_results(
    settings: Settings,
    job_id: str,
    out: Path,
    formats: Iterable[str] = (),
    **options: Any,  # noqa: ANN401
) -> list[ImageOutcome]:
    """Write the results of a segmentation job's done items to a folder, each file whole.

    Files are called after the image: ``cat.mask.png``, ``cat.overlay.png``, ``cat.json``; further images of the same
    stem became ``cat-2``, ``cat-3`` when they were submitted.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        out: the folder; is made when it is not there.
        formats: some of ``freeda_svc.outputs.FORMATS``; the usual ones when empty.
        options: of formats for all images, as ``write_collections`` takes them.

    Returns:
        What was written for each image, in the order of submission.

    Raises:
        NotFoundError: there is no such job, or what files for all images need is gone from the artifacts.
        InputError: it is not a segmentation job, or there is no such format.
        UnavailableError: the folder cannot be written.
    """
    from freeda_svc.outputs import check_formats  # noqa: PLC0415 - as above

    images = submitted_images(settings, job_id)
    if images and _only_proposes(settings, images[0].job):
        raise InputError(
            f"job {images[0].job} only proposed categories for its images; a later job segmented them into all of "
            "these together, see `freeda jobs list`"
        )
    done = [image for image in images if image.state == ItemState.DONE]
    return export_pictures(pictures_of(settings, done), out, check_formats(formats), **options)[0]


def export_pictures(
    pictures: "Sequence[SegmentedImage]",
    out: Path,
    formats: Sequence[str],
    **options: Any,  # noqa: ANN401 - as above
) -> tuple[list[ImageOutcome], list[Path]]:
    """Write the files of images to a folder, each whole.

    Args:
        pictures: the images, with what is kept of their segmentation.
        out: the folder; is made when it is not there.
        formats: as ``check_formats`` returns them.
        options: of formats for all images, as ``write_collections`` takes them.

    Returns:
        What was written for each image, and what was written for all.

    Raises:
        NotFoundError: what files for all images need is gone.
        UnavailableError: the folder cannot be written.
    """
    from freeda_svc.outputs import write_collections, write_image_files  # noqa: PLC0415 - as above

    exported = []
    for picture in pictures:
        try:
            files = write_image_files(picture, out, formats)
        except (InputError, NotFoundError) as error:
            exported.append(ImageOutcome(picture.image, result=picture.result, error=str(error)))
        else:
            exported.append(ImageOutcome(picture.image, result=picture.result, files=files))
    whole = [picture for picture in pictures if picture.result.whole]
    return exported, write_collections(whole, out, formats, **options)
