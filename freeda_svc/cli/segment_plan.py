"""What is left to be done for a folder of results: what was done before is kept, unless the bank has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    """What is in a bank now, see ``workers.queries.bank_version``."""
    from workers import queries  # noqa: PLC0415 - only resuming asks

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
    submitted = _SubmittedBefore(settings)
    earlier = _earlier_images(settings, target)
    age = BankAge(settings, target.bank, must_know=not keep_older)
    for image in images:
        digest = digest_of_file(image.path, settings.input_rules)
        written = target.manifest.images.get(image.stem)
        found = None
        if written is not None and target.manifest.holds(image.stem, digest, target.request, target.files(image.stem)):
            before = submitted.of(written, image)
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


class _SubmittedBefore:
    """Finds the items of images whose files were written; each job is read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: dict[str, dict[int, SubmittedImage]] = {}

    def of(self, written: WrittenImage, image: InputImage) -> SubmittedImage:
        """The item of an image; without its copy where the job is of another home, or removed."""
        if written.job not in self._jobs:
            try:
                items = submitted_images(self._settings, written.job)
            except (NotFoundError, InputError):
                items = []
            self._jobs[written.job] = {item.number: item for item in items}
        item = self._jobs[written.job].get(written.number)
        kept = "" if item is None else item.kept
        return SubmittedImage(written.job, written.number, ItemState.DONE, kept, image.name, image.stem)


def _earlier_images(settings: Settings, target: Target) -> Mapping[str, SubmittedImage]:
    """Return the images of earlier jobs for the folder that are done or will be, by the SHA-256 of their files."""
    found: dict[str, SubmittedImage] = {}
    for job in target.manifest.jobs.get(target.request, ()):
        try:
            images = submitted_images(settings, job)
        except (NotFoundError, InputError):
            continue  # of another home, or removed
        for image in images:
            open_or_kept = image.state in OPEN_ITEM_STATES or (
                image.state == ItemState.DONE and _is_kept(settings, image)
            )
            if open_or_kept:
                found[Path(image.kept).stem] = image
    return found


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
