"""The questions that commands ask, whoever answers them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from freeda_svc.jobs.states import ItemState, Priority
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankRevision, ImageOutcome, InputImage
    from freeda_svc.captions import Caption, CaptionTally
    from freeda_svc.cli.worker_watch import WorkerWatch
    from freeda_svc.jobs import ItemError, ItemSummary, JobFilter, JobSummary, Pruned, SubmittedImage
    from freeda_svc.outputs import SegmentedImage
    from freeda_svc.parameters import Category, CategoryChoice, Colour, SegmentationParameters
    from freeda_svc.prototypes import MarkedImage


class Changes(Protocol):
    """Wakes when jobs change."""

    def wait(self, seconds: float) -> None:
        """Return when one has changed since the last wait, or after so long."""


@dataclass(frozen=True)
class AskedSegmentation:
    """What is asked of all images.

    Attributes:
        categories: in the order of their labels; None where the bank proposes some.
        colours: RGB of the first of them, where they have colours of their own.
        choice: how a person named them; None where the bank proposes some.
        overrides: parameters that differ from the pack's.
        bank: whose prototypes are used; the usual one when empty.
        explain: whether evidence is kept.
        only_propose: whether categories are proposed and nothing is segmented.
    """

    categories: "tuple[Category, ...] | None"
    colours: "tuple[Colour, ...]"
    choice: "CategoryChoice | None"
    overrides: Mapping[str, Any]
    bank: str
    explain: bool
    only_propose: bool


class CheckedSegmentation(Protocol):
    """A request that fits the pack and the bank it is for."""

    @property
    def bank_name(self) -> str:
        """Name and version of the bank."""

    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank."""


class Backend(Protocol):
    """Who accepts jobs and knows what becomes of them.

    Jobs are named by their ids or the beginnings of them where a person names them (``named``).
    """

    @property
    def settings(self) -> Settings:
        """Of this machine: which files may be read here, and how large images may be."""

    @property
    def place(self) -> str:
        """Where it is, for messages; empty on this machine."""

    def pack_parameters(self) -> "SegmentationParameters | None":
        """Return how the pack segments; None where only a server knows."""

    def checked(self, asked: AskedSegmentation) -> CheckedSegmentation:
        """Check what is asked of all images."""

    def parts_of(self, images: "Sequence[InputImage]") -> "Iterable[Sequence[InputImage]]":
        """Cut images into as many as one job takes."""

    def submit_segment(
        self, asked: AskedSegmentation, images: "Sequence[InputImage]", *, priority: Priority, key: str
    ) -> str:
        """Submit images; return the id of their job."""

    def submit_ingest(
        self,
        captions: "Iterable[Caption]",
        *,
        source: str,
        tally: "CaptionTally",
        bank: str,
        priority: Priority,
        key: str,
    ) -> str:
        """Submit captions; return the id of their job."""

    def submit_exemplars(
        self,
        exemplars: "Iterable[MarkedImage]",
        *,
        source: str,
        left_out: Callable[[], Mapping[str, int]],
        bank: str,
        priority: Priority,
        key: str,
    ) -> list[str]:
        """Submit images with masks; return the id of their job, or of several where a server takes fewer at once."""

    def find_job(self, named: str) -> str:
        """Return the whole id of a job."""

    def list_jobs(self, *, limit: int, wanted: "JobFilter") -> "list[JobSummary]":
        """List the newest jobs first."""

    def job_summary(self, named: str) -> "JobSummary":
        """Look at one job."""

    def result_totals(self, named: str) -> dict[str, int]:
        """Add up what the done items of a job reported."""

    def job_items(self, named: str, *states: ItemState, limit: int | None = None) -> "list[ItemSummary]":
        """List a job's items in order."""

    def item_errors(self, named: str, *, limit: int | None = None) -> "list[ItemError]":
        """List a job's items that failed, in order."""

    def cancel_job(self, job_id: str) -> int:
        """Cancel what a job has not begun; return how many items that are."""

    def retry_failed_items(self, job_id: str) -> int:
        """Try a job's failed items again; return how many they are."""

    def prune_jobs(self, older_than: timedelta | None, *, dry_run: bool, only: Sequence[str]) -> "Pruned":
        """Remove jobs that ended so long ago, or those that are named, with their results; or only say which."""

    def watched_changes(self, job_ids: Collection[str]) -> AbstractContextManager[Changes]:
        """Listen to changes of jobs for as long as the block lasts."""

    def worker_watch(self) -> "WorkerWatch":
        """Return what says that nobody works."""

    def missing_worker(self) -> str:
        """Return why no item is done and what to do; empty where that is not known."""

    def take_images(self, images: "Sequence[InputImage]") -> None:
        """Note which image files lie here, for pictures of them."""

    def submitted_images(self, job_id: str) -> "list[SubmittedImage]":
        """List the images of a segmentation job."""

    def item_states(self, job_id: str) -> dict[int, ItemState]:
        """Return the states of a job's items by their numbers."""

    def pictures_of(self, images: "Sequence[SubmittedImage]", formats: Iterable[str]) -> "list[SegmentedImage]":
        """Return what the files of images are made of, in their order."""

    def export_results(
        self,
        job_id: str,
        out: Path,
        formats: Sequence[str],
        **options: Any,  # noqa: ANN401 - of formats for all images
    ) -> "list[ImageOutcome]":
        """Write the results of a job's done items to a folder."""

    def continue_colours(self, job_id: str, earlier: Sequence[str]) -> None:
        """Let a new job show categories in the colours of earlier ones."""

    def proposals_of(self, job_id: str) -> dict[int, Mapping[str, Any]]:
        """Return what a job that only proposes has found out, by the numbers of its items."""

    def is_kept(self, image: "SubmittedImage") -> bool:
        """Whether everything is there that files of an image can be made of."""

    def revision_of(self, image: "SubmittedImage") -> "BankRevision | None":
        """What was in the bank when an image was segmented; None where that is not known."""

    def bank_revision(self, bank: str) -> "BankRevision":
        """What is in a bank now."""

    def list_banks(self) -> list[dict[str, Any]]:
        """List all banks with their versions."""

    def create_bank(self, bank: str) -> str:
        """Make an empty bank, or an empty version of one; return its name and version."""

    def switch_bank(self, bank: str) -> str:
        """Make a version the current one; return its name and version."""

    def drop_bank(self, bank: str) -> str:
        """Remove a version with all its prototypes; return its name and version."""

    def bank_stats(self, bank: str) -> dict[str, Any]:
        """Say how large a bank is."""

    def bank_nouns(self, bank: str) -> dict[str, int]:
        """Count the prototypes of each noun."""

    def search_bank(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """Find the prototypes whose keys are nearest to a text."""

    def show_prototype(self, bank: str, identifier: str) -> dict[str, Any]:
        """Return all that is kept about a prototype but its vectors, and for people where its pictures are."""

    def prototype_picture(self, bank: str, identifier: str) -> bytes:
        """Return the picture of a prototype, as PNG."""

    def shown_folder(self) -> Path:
        """Return where pictures lie that are opened in a viewer."""

    def forget_prototypes(self, bank: str, selection: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
        """Remove the prototypes of a ``noun``, a ``job``, a ``caption`` or an ``origin``, or only count them.

        Returns:
            ``bank`` with its version, and how many were ``found`` and ``removed``.
        """

    def curate_bank(self, bank: str, *, keep: float | None, dry_run: bool) -> dict[str, Any]:
        """Mark prototypes that probably do not show their noun, or only say which; ``bank`` has its version."""

    def uncurate_bank(self, bank: str) -> dict[str, Any]:
        """Take back the marks of curation; return ``bank`` with its version, and how many were ``unmarked``."""

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """Return the pack's name, and the nouns that captions can teach it; None where it knows all."""
