"""What is left to do for a folder of results: finished images are kept and running jobs joined, see ``batches``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from freeda_svc.artifacts import open_artifacts
from freeda_svc.batches import BankAge, BankRevision, InputImage, ManifestEntry, ResultsFolder, digest_of_image
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.jobs.results import SubmittedImage, kept_result
from freeda_svc.jobs.states import OPEN_ITEM_STATES, ItemState
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.outputs import KeptResult


@dataclass(frozen=True)
class Plan:
    """What is to be done for each image.

    Attributes:
        written: images whose files are there already.
        submitted: images that are in a job already, done or not.
        left: images that are to be submitted.
        older: names of the images whose results are older than the bank.
        otherwise: names of those whose files were made from the same image for another request.
        keeps_older: whether those that are older are kept; they are among ``left`` otherwise.
        age_unknown: why it is not known which are older; empty when it is, or was not needed.
    """

    written: list[SubmittedImage]
    submitted: list[SubmittedImage]
    left: list[InputImage]
    older: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    keeps_older: bool = False
    age_unknown: str = ""


class EarlierJobs(Protocol):
    """What is known of jobs that a folder's manifest names."""

    def submitted_images(self, job_id: str) -> list[SubmittedImage]:
        """List the images of a job, as ``freeda_svc.jobs.submitted_images`` does."""

    def proposals_of(self, job_id: str) -> Mapping[int, Mapping[str, Any]]:
        """Return what a job proposed, as ``freeda_svc.jobs.proposals_of`` does."""

    def is_kept(self, image: SubmittedImage) -> bool:
        """Whether everything is there that files of an image can be made of."""

    def revision_of(self, image: SubmittedImage) -> BankRevision | None:
        """What was in the bank when an image was segmented; None where that is not known."""


def plan_resumption(
    earlier_jobs: EarlierJobs,
    images: Sequence[InputImage],
    folder: ResultsFolder,
    age: BankAge,
    *,
    keep_older: bool,
    rules: InputRules = ANYWHERE,
) -> Plan:
    """Find out what was done before, for the same images, categories, parameters, pack and bank.

    Args:
        earlier_jobs: knows what became of the jobs of the folder.
        images: all that are asked for.
        folder: where their files go.
        age: compares results with what is in the bank now.
        keep_older: keep results, too, that are older than that.
        rules: where images may lie.

    Raises:
        UnavailableError: there are results, and what is in the bank now is not known.
    """
    plan = Plan([], [], [], keeps_older=keep_older)

    @cache  # each job is read once
    def items_of(job: str) -> Mapping[int, SubmittedImage]:
        return {item.number: item for item in _images_of_job(earlier_jobs, job)}

    jobs = folder.manifest.jobs.get(folder.request, ())
    items = (item for job in jobs for item in items_of(job).values())
    earlier = {item.made_from: item for item in items if _is_usable(earlier_jobs, item)}
    for image in images:
        content = digest_of_image(image, rules)
        written = folder.manifest.images.get(image.stem)
        found = None
        if written is not None and folder.has(image.stem, content):
            item = items_of(written.job).get(written.number)  # its copy is gone with the job
            kept = "" if item is None else item.kept
            before = SubmittedImage(written.job, written.number, ItemState.DONE, kept, image.name, image.stem)
            if not folder.collects or earlier_jobs.is_kept(before):
                found = before
        elif folder.has_of_another_request(image.stem, content):
            plan.otherwise.append(image.name)
        is_written = found is not None
        if found is None and content in earlier:
            found = replace(earlier[content], name=image.name, stem=image.stem)
        if (
            found is not None
            and found.state not in OPEN_ITEM_STATES
            and age.is_older(_made_from(earlier_jobs, found, written if is_written else None))
        ):
            plan.older.append(image.name)
            found = found if keep_older else None
        if found is None:
            plan.left.append(image)
        else:
            (plan.written if is_written else plan.submitted).append(found)
    return replace(plan, age_unknown=age.unknown)


def earlier_proposals(
    earlier_jobs: EarlierJobs,
    images: Sequence[InputImage],
    jobs: Sequence[str],
    age: BankAge,
    *,
    keep_older: bool,
    rules: InputRules = ANYWHERE,
) -> tuple[dict[str, Mapping[str, Any]], list[SubmittedImage]]:
    """Return what earlier jobs proposed for images, by stem, and the images that are still in one of these jobs.

    Args:
        earlier_jobs: knows what became of them.
        images: all that are asked for.
        jobs: ids of jobs that only propose, as a manifest names them.
        age: compares proposals with what is in the bank now.
        keep_older: keep proposals, too, that are older than that.
        rules: where images may lie.

    Raises:
        UnavailableError: there are proposals, and what is in the bank now is not known.
    """
    done: dict[str, Mapping[str, Any]] = {}
    going: dict[str, SubmittedImage] = {}
    for job in jobs:
        results = earlier_jobs.proposals_of(job)
        for before in _images_of_job(earlier_jobs, job):
            if before.state in OPEN_ITEM_STATES:
                going[before.made_from] = before
            elif before.number in results:
                done[before.made_from] = results[before.number]
    found: dict[str, Mapping[str, Any]] = {}
    waiting = []
    for image in images:
        content = digest_of_image(image, rules)
        if content in going:
            waiting.append(replace(going[content], name=image.name, stem=image.stem))
        elif content in done and (keep_older or not age.is_older(done[content].get("bank_version"))):
            found[image.stem] = done[content]["proposals"]
    return found, waiting


def is_kept(settings: Settings, image: SubmittedImage) -> bool:
    """Whether everything is there that files of an image can be made of: its copy, and what was kept of its result."""
    return open_artifacts(settings).exists(image.kept) and kept_result(settings, image.job, image.number).whole


def revision_of(settings: Settings, image: SubmittedImage) -> BankRevision | None:
    """Return what was in the bank when an image was segmented; None where that is not known any more."""
    return revision_in(kept_result(settings, image.job, image.number))


def revision_in(result: "KeptResult") -> BankRevision | None:
    """Return what was in the bank when a result was made; None where that is not known any more."""
    try:
        revision: BankRevision | None = result.summary["bank_version"]
    except (NotFoundError, KeyError, ValueError):
        return None
    return revision


def _images_of_job(earlier_jobs: EarlierJobs, job: str) -> list[SubmittedImage]:
    """The images of a job that a manifest names; none without a job, or where it is of another home or removed."""
    try:
        return earlier_jobs.submitted_images(job) if job else []
    except (NotFoundError, InputError):
        return []


def _is_usable(earlier_jobs: EarlierJobs, image: SubmittedImage) -> bool:
    """Whether an image of an earlier job is done, and all of it there, or will be done."""
    return image.state in OPEN_ITEM_STATES or (image.state == ItemState.DONE and earlier_jobs.is_kept(image))


def _made_from(earlier_jobs: EarlierJobs, image: SubmittedImage, written: ManifestEntry | None) -> BankRevision | None:
    """What was in the bank when an image was segmented; None where that is not known any more."""
    if written is not None and (written.bank_version is not None or not written.job):
        return written.bank_version
    return earlier_jobs.revision_of(image)
