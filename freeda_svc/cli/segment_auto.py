"""``freeda segment --auto`` for several images: first a job that proposes, then one list of categories for all.

With a list for each image the pixel values of masks would mean other things in each file.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from freeda_svc.batches import ResultsManifest
from freeda_svc.cli.backends import Backend
from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.cli.segment_categories import AskedCategories
from freeda_svc.cli.segment_request import Request
from freeda_svc.cli.segment_run import ask_bank_age, follow_images
from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.jobs import (
    InputImage,
    SubmittedImage,
    earlier_proposals,
    failure_reasons,
)
from freeda_svc.parameters import Category, CategoryChoice

NAMES_SHOWN = 20


@dataclass(frozen=True)
class CommonList:
    """One list of categories for all images.

    Attributes:
        names: the categories, in the order of their numbers.
        images: those to be segmented, with what was proposed for each.
        errors: one line for each image for which nothing could be proposed.
    """

    names: list[str]
    images: list[InputImage]
    errors: list[str]

    def request(self, asked: Request) -> Request:
        """The request with these categories."""
        categories = tuple(map(Category, self.names))
        choice = CategoryChoice(categories=categories)
        return replace(asked, categories=AskedCategories(categories, proposed=True, choice=choice))


def propose_for_all(
    asked: Request,
    images: Sequence[InputImage],
    manifest: ResultsManifest | None,
    *,
    resume: bool = False,
    keep_older: bool = False,
    quiet: bool = False,
) -> CommonList:
    """Have categories proposed for images, and put them together.

    Args:
        asked: the request, without categories.
        images: at least one.
        manifest: of the folder of results; None without one.
        resume: take what was proposed for the folder before, and begin with the list that came out of it.
        keep_older: take it, too, where the bank has changed since.
        quiet: show no progress.

    Raises:
        InputError: nothing could be proposed for any image.
        Interrupted: at Ctrl-C; the job goes on.
        FreedaError: as submitting does.
    """
    proposing = replace(asked, only_propose=True, explain=False, idempotency_key=_own_key(asked.idempotency_key))
    request = proposing.digest() if manifest is not None else ""
    found: dict[str, Mapping[str, Any]] = {}
    waiting: list[SubmittedImage] = []
    first: Sequence[str] = ()
    if resume and manifest is not None:
        age = ask_bank_age(asked.backend, proposing.bank_name(), keep_older=keep_older)
        jobs = manifest.jobs.get(request, ())
        found, waiting = earlier_proposals(
            asked.backend, images, jobs, age, keep_older=keep_older, rules=asked.backend.settings.input_rules
        )
        first = manifest.lists.get(request, ())
    under_way = found.keys() | {image.stem for image in waiting}
    left = [image for image in images if image.stem not in under_way]
    if left:
        for job in proposing.submit(left):
            waiting += asked.backend.submitted_images(job)
            if manifest is not None:
                manifest.note_job(request, job)
    errors = _follow(asked.backend, waiting, found, quiet=quiet, resumable=manifest is not None)
    usable = [replace(image, proposals=found[image.stem]) for image in images if image.stem in found]
    if not usable:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"no category could be proposed: {errors[0]}{more}")
    names = _common_list(found.values(), first)
    if manifest is not None and names != list(first):
        manifest.note_list(request, names)
    shown = ", ".join(names[:NAMES_SHOWN]) + (f", ... ({len(names)} categories)" if len(names) > NAMES_SHOWN else "")
    click.echo(f"proposed for {counted(len(usable), 'image')} together: {shown}", err=True)
    return CommonList(names, usable, errors)


def _own_key(key: str) -> str:
    """A key for the job that proposes, which follows from that of the whole request."""
    return f"proposals {hashlib.sha256(key.encode()).hexdigest()}" if key else ""


def _common_list(proposed: Iterable[Mapping[str, Any]], first: Sequence[str]) -> list[str]:
    from freeda_svc.segmentation import common_list  # noqa: PLC0415 - other commands do without it

    return common_list(proposed, first)


def _follow(
    backend: Backend,
    waiting: Sequence[SubmittedImage],
    found: dict[str, Mapping[str, Any]],
    *,
    quiet: bool,
    resumable: bool,
) -> list[str]:
    """Wait for proposals and put them beside what was found; return a line for each image that has none."""
    if not waiting:
        return []
    jobs = sorted({image.job for image in waiting})
    try:
        outcome = follow_images(backend, waiting, None, label="propose", quiet=quiet)
    except KeyboardInterrupt:
        again = " the same command with --resume takes its proposals;" if resumable else ""
        raise Interrupted(
            f"Interrupted; job {', '.join(jobs)} goes on proposing categories:{again} nothing was segmented yet; "
            f"`freeda jobs cancel {jobs[-1]}` ends it."
        ) from None
    results = {job: backend.proposals_of(job) for job in jobs}
    for image, _ in outcome.done:
        found[image.stem] = results[image.job][image.number]["proposals"]
    return failure_reasons(backend.job_items, outcome.failed)
