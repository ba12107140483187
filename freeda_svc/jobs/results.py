"""Where the results of segmentation items lie, and handing them out."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import ItemState, JobKind
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.settings import Settings
from freeda_svc.whole_files import placed_whole

MASK = "mask.png"
OVERLAY = "overlay.png"
SUMMARY = "summary.json"
_SUFFIXES = {MASK: ".mask.png", OVERLAY: ".overlay.png", SUMMARY: ".json"}


@dataclass(frozen=True)
class ExportedImage:
    """The files of one segmented image.

    Attributes:
        number: of the item within its job.
        name: the image's file name when it was submitted.
        mask: indexed PNG.
        overlay: PNG.
        summary: JSON.
    """

    number: int
    name: str
    mask: Path
    overlay: Path
    summary: Path


def result_folder(settings: Settings, job_id: str, number: int) -> Path:
    """Return where an item's results lie."""
    return settings.artifacts_folder / "results" / job_id / str(number)


def export_results(settings: Settings, job_id: str, out: Path) -> list[ExportedImage]:
    """Copy the results of a segmentation job's done items into a folder, each file whole.

    Files are called after the image: ``cat.mask.png``, ``cat.overlay.png``, ``cat.json``; further images of the same
    stem become ``cat-2``, ``cat-3``. The names do not depend on how many items are done already.

    Returns:
        What was written, in the order of submission.

    Raises:
        NotFoundError: there is no such job, or its results are gone from the artifacts.
        InputError: it is not a segmentation job.
        UnavailableError: the folder cannot be written.
    """
    full_id = find_job(settings, job_id)
    with reading(settings) as session:
        if session.get_one(Job, full_id).kind != JobKind.SEGMENT:
            raise InputError(f"job {full_id} adds to the bank; only segmentation jobs have results to export")
        items = session.scalars(select(WorkItem).where(WorkItem.job_id == full_id).order_by(WorkItem.number)).all()
    stems = distinct_stems([str(item.input["name"]) for item in items])
    exported = []
    for item, stem in zip(items, stems, strict=True):
        if item.state != ItemState.DONE:
            continue
        folder = result_folder(settings, full_id, item.number)
        targets = {name: out / f"{stem}{suffix}" for name, suffix in _SUFFIXES.items()}
        for name, target in targets.items():
            _copy_whole(folder / name, target)
        exported.append(
            ExportedImage(item.number, item.input["name"], targets[MASK], targets[OVERLAY], targets[SUMMARY])
        )
    return exported


def distinct_stems(names: list[str]) -> list[str]:
    """Give each file name a stem of its own, also where letter case does not count.

    >>> distinct_stems(["a.jpg", "a.png", "A.png", "b.png"])
    ['a', 'a-2', 'A-3', 'b']
    """
    taken: set[str] = set()
    stems = []
    for name in names:
        stem = Path(name).stem
        candidate, number = stem, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem}-{number}"
        taken.add(candidate.casefold())
        stems.append(candidate)
    return stems


def _copy_whole(source: Path, target: Path) -> None:
    if not source.is_file():
        raise NotFoundError(f"the result {source} is gone from the artifacts; submit the image again")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with placed_whole(target) as aside:
            shutil.copyfile(source, aside)
    except OSError as error:
        raise UnavailableError(f"{target} cannot be written: {error.strerror}") from error
