"""What is left to be done for a folder of results: what was done before is kept, unless the bank has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.console import counted
from freeda_svc.cli.segment_manifest import NAME, Manifest, WrittenImage, digest_of_file
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import InputImage, ItemState
from freeda_svc.jobs.results import SubmittedImage, result_folder, submitted_images
from freeda_svc.jobs.states import OPEN_ITEM_STATES
from freeda_svc.settings import Settings

BankVersion = Mapping[str, Any]
"""The content of a bank at a moment: ``additions`` and ``removals`` of ``freeda_svc.bank.store.Version``."""


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
        age_unknown: why it could not be told which are older; empty when it could, or nobody had to know.
    """

    written: list[SubmittedImage]
    submitted: list[SubmittedImage]
    left: list[InputImage]
    older: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    keeps_older: bool = False
    age_unknown: str = ""


@dataclass(frozen=True)
class Target:
    """Where files go.

    Attributes:
        out: the folder.
        formats: which files are written.
        request: digest of what is asked.
        bank: name and version of the bank that is used.
        manifest: of the folder.
        collecting: options of the files for all images, as ``write_collections`` takes them.
    """

    out: Path
    formats: Sequence[str]
    request: str
    bank: str
    manifest: Manifest
    collecting: Mapping[str, Any]

    def files(self, stem: str) -> dict[str, str]:
        """Return the names of the files that belong to one image, by format."""
        from freeda_svc.outputs import files_of_image  # noqa: PLC0415 - submitting does without it

        return files_of_image(stem, self.formats)

    @property
    def collects(self) -> bool:
        """Whether there are files for all images, so that what is kept of each is needed."""
        from freeda_svc.outputs import files_for_all  # noqa: PLC0415 - submitting does without it

        return bool(files_for_all(self.formats))


def bank_version(settings: Settings, bank: str) -> BankVersion:
    """What is in a bank now, see ``freeda_svc.workers.queries.bank_version``."""
    from freeda_svc.workers import queries  # noqa: PLC0415 - only resuming asks

    return queries.bank_version(settings, bank)


def plan_resumption(settings: Settings, images: Sequence[InputImage], target: Target, *, keep_older: bool) -> Plan:
    """Find out what was done before, for the same images, categories, parameters, pack and bank.

    Args:
        settings: the installation.
        images: all that are asked for.
        target: where their files go.
        keep_older: take results, too, that are older than what is in the bank now.

    Raises:
        UnavailableError: there are results, and what is in the bank now cannot be told.
    """
    plan = Plan([], [], [], keeps_older=keep_older)

    @cache  # each job is read once
    def items_of(job: str) -> Mapping[int, SubmittedImage]:
        return {item.number: item for item in earlier_images(settings, job)}

    jobs = target.manifest.jobs.get(target.request, ())
    items = (item for job in jobs for item in items_of(job).values())
    earlier = {item.content: item for item in items if _is_usable(settings, item)}
    age = BankAge(settings, target.bank, must_know=not keep_older)
    for image in images:
        digest = digest_of_file(image.path, settings.input_rules)
        written = target.manifest.images.get(image.stem)
        found = None
        if written is not None and target.manifest.holds(image.stem, digest, target.request, target.files(image.stem)):
            item = items_of(written.job).get(written.number)  # its copy is gone with the job
            kept = "" if item is None else item.kept
            before = SubmittedImage(written.job, written.number, ItemState.DONE, kept, image.name, image.stem)
            if not target.collects or _is_kept(settings, before):
                found = before
        elif written is not None and written.image == digest and written.request != target.request:
            plan.otherwise.append(image.name)
        is_written = found is not None
        if found is None and digest in earlier:
            found = replace(earlier[digest], name=image.name, stem=image.stem)
        if (
            found is not None
            and found.state not in OPEN_ITEM_STATES
            and age.is_older(_made_from(settings, found, written if is_written else None))
        ):
            plan.older.append(image.name)
            found = found if keep_older else None
        if found is None:
            plan.left.append(image)
        else:
            (plan.written if is_written else plan.submitted).append(found)
    return replace(plan, age_unknown=age.unknown)


def tell_plan(plan: Plan, target: Target) -> None:
    """Say what of earlier results is not taken as it is, and why."""
    if target.manifest.damaged:
        told = counted(target.manifest.damaged, "line")
        click.echo(f"{target.out / NAME}: {told} cannot be read; the images they told of are done again", err=True)
    if plan.otherwise:
        told = counted(len(plan.otherwise), "image")
        click.echo(f"made for other categories, parameters, models or another bank: {told}; done again", err=True)
    if plan.age_unknown:
        click.echo(f"which files are older than the bank cannot be told, all are kept: {plan.age_unknown}", err=True)
    if plan.older:
        what = "kept, as asked for" if plan.keeps_older else "done again; --keep-older keeps such files"
        click.echo(f"older than what is in the bank now: {counted(len(plan.older), 'image')}; {what}", err=True)


class BankAge:
    """Tells what was made before the bank changed; the bank is asked once, when the first is looked at.

    Attributes:
        unknown: why that cannot be told; empty when it can.
    """

    def __init__(self, settings: Settings, bank: str, *, must_know: bool) -> None:
        """Take a bank.

        Args:
            settings: the installation.
            bank: its name and version.
            must_know: an error that keeps it from being told is raised; otherwise nothing counts as older then.
        """
        self._settings = settings
        self._bank = bank
        self._must_know = must_know
        self._now: BankVersion | None = None
        self.unknown = ""

    def is_older(self, made: BankVersion | None) -> bool:
        """Whether the bank is another one now than it was; so it is when nobody knows what it was.

        Raises:
            UnavailableError: the bank does not answer, and it must be known.
        """
        if self.unknown:
            return False
        try:
            if self._now is None:
                self._now = bank_version(self._settings, self._bank)
        except UnavailableError as error:
            if self._must_know:
                raise UnavailableError(
                    f"which files are older than the bank cannot be told: {error}; --keep-older keeps them all"
                ) from error
            self.unknown = str(error)
            return False
        return made != self._now


def earlier_images(settings: Settings, job: str) -> list[SubmittedImage]:
    """The images of a job that a manifest names; none where it is of another home, or was removed."""
    try:
        return submitted_images(settings, job)
    except (NotFoundError, InputError):
        return []


def _is_usable(settings: Settings, image: SubmittedImage) -> bool:
    """Whether an image of an earlier job is done, and all of it there, or will be done."""
    return image.state in OPEN_ITEM_STATES or (image.state == ItemState.DONE and _is_kept(settings, image))


def _is_kept(settings: Settings, image: SubmittedImage) -> bool:
    """Whether everything is there that files of an image can be made of: its copy, and what was kept of its result."""
    from freeda_svc.outputs import KeptResult  # noqa: PLC0415 - submitting does without it

    return (settings.artifacts_folder / image.kept).is_file() and KeptResult(
        result_folder(settings, image.job, image.number)
    ).whole


def _made_from(settings: Settings, image: SubmittedImage, written: WrittenImage | None) -> BankVersion | None:
    """What was in the bank when an image was segmented; None where that is not known any more."""
    if written is not None and written.bank_version is not None:
        return written.bank_version
    from freeda_svc.outputs import KeptResult  # noqa: PLC0415 - as above

    try:
        version: BankVersion | None = KeptResult(result_folder(settings, image.job, image.number)).summary[
            "bank_version"
        ]
    except (NotFoundError, KeyError, ValueError):
        return None
    return version
