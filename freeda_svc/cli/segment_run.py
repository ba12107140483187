"""Following segmentation jobs and writing the files of their images as they are done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freeda_svc.batches import BankAge, ResultsFolder
from freeda_svc.cli.backends import Backend
from freeda_svc.cli.console import shown_progress
from freeda_svc.cli.following import LOOK_SECONDS
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import OPEN_ITEM_STATES, ItemState, SubmittedImage
from freeda_svc.jobs.progress import FEW_ITEMS

if TYPE_CHECKING:
    from freeda_svc.outputs import SegmentedImage

_LOOKS_A_PAUSE = 4  # after a query for many images it pauses at least so many times as long as that took


@dataclass
class Outcome:
    """How images ended.

    Attributes:
        done: images that are segmented, with what is kept of them.
        failed: images that are not, each with its item's number.
        errors: one line for each image whose files could not be made.
        files: how many files were written.
    """

    done: "list[tuple[SubmittedImage, SegmentedImage]]" = field(default_factory=list)
    failed: list[SubmittedImage] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    files: int = 0


def ask_bank_age(backend: Backend, bank: str, *, keep_older: bool) -> BankAge:
    """Return what compares results with the revision that a bank has now.

    Args:
        backend: has the bank.
        bank: its name and version.
        keep_older: whether older results are kept.
    """
    return BankAge(lambda: backend.bank_revision(bank), keep_older=keep_older)


def follow_images(
    backend: Backend,
    images: Sequence[SubmittedImage],
    target: ResultsFolder | None,
    *,
    label: str = "segment",
    quiet: bool = False,
) -> Outcome:
    """Wait until images have ended, writing the files of each as soon as it is done.

    Args:
        backend: has the jobs.
        images: of one or several jobs.
        target: where the files go; none are written when None.
        label: what is going on, beside the progress.
        quiet: show no progress.

    Raises:
        UnavailableError: the folder cannot be written.
        KeyboardInterrupt: at Ctrl-C; the jobs go on.
    """
    outcome = Outcome()
    pictures = backend.pictures_of(images, () if target is None else target.formats)
    waiting = {(image.job, image.number): (image, picture) for image, picture in zip(images, pictures, strict=True)}
    with (
        remembered_interrupts() as raise_if_interrupted,
        backend.watched_changes({image.job for image in images}) as changes,
        shown_progress(label, quiet=quiet) as report,
    ):
        watch = backend.worker_watch()
        while waiting:
            began = time.monotonic()
            states = {job: backend.item_states(job) for job in sorted({job for job, _ in waiting})}
            for job, items in states.items():
                for number, state in items.items():
                    raise_if_interrupted()
                    if state not in OPEN_ITEM_STATES and (job, number) in waiting:
                        image, picture = waiting.pop((job, number))
                        _end(outcome, image, picture, state, target)
                        report(len(images) - len(waiting) - len(outcome.failed), len(images))
            raise_if_interrupted()
            report(len(images) - len(waiting) - len(outcome.failed), len(images))
            if waiting:
                watch.look(states)
                if len(images) > FEW_ITEMS:
                    time.sleep(_LOOKS_A_PAUSE * (time.monotonic() - began))
                changes.wait(LOOK_SECONDS)
    order = {image.stem: number for number, image in enumerate(images)}
    outcome.done.sort(key=lambda ended: order[ended[0].stem])
    return outcome


def _end(
    outcome: Outcome, image: SubmittedImage, picture: "SegmentedImage", state: ItemState, target: ResultsFolder | None
) -> None:
    if state != ItemState.DONE:
        outcome.failed.append(image)
        return
    try:
        if target is not None:
            outcome.files += len(target.write(picture, image.made_from, job=image.job, number=image.number))
    except (InputError, NotFoundError) as error:
        outcome.errors.append(str(error))
    else:
        outcome.done.append((image, picture))
