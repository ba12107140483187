"""This machine's own installation: its database, broker, artifacts and banks."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeda_svc import jobs
from freeda_svc.cli.backends.local_banks import LocalBanks
from freeda_svc.cli.backends.protocol import AskedSegmentation, Changes
from freeda_svc.cli.session import open_dispatcher
from freeda_svc.jobs.states import ItemState, Priority
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankRevision, ImageOutcome, InputImage
    from freeda_svc.captions import Caption, CaptionTally
    from freeda_svc.cli.worker_watch import WorkerWatch
    from freeda_svc.jobs import (
        CheckedRequest,
        ItemError,
        ItemSummary,
        JobFilter,
        JobSummary,
        Pruned,
        SubmittedImage,
    )
    from freeda_svc.outputs import SegmentedImage
    from freeda_svc.parameters import SegmentationParameters
    from freeda_svc.prototypes import MarkedImage


@dataclass(frozen=True)
class LocalRequest:
    """A request for the pack and a bank of this installation."""

    settings: Settings
    asked: AskedSegmentation

    @property
    def bank_name(self) -> str:
        """Name and version of the bank."""
        return str(self._checked.bank)

    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank."""
        return self._checked.digest(jobs.bank_created(self.settings, self._checked.bank))

    @cached_property
    def _checked(self) -> "CheckedRequest":
        asked = self.asked
        return jobs.segmentation_request(
            self.settings,
            asked.categories,
            overrides=asked.overrides,
            bank=asked.bank,
            colours=asked.colours,
            explain=asked.explain,
            only_propose=asked.only_propose,
        )


class LocalBackend(LocalBanks):
    """Answers from SQL, the artifacts and the worker that has the banks; see ``Backend``."""

    place = ""

    def pack_parameters(self) -> "SegmentationParameters":
        """See ``Backend``."""
        from freeda_svc.packs.description import read_pack_parameters  # noqa: PLC0415 - only segmenting does

        return read_pack_parameters(self.settings.pack, self.settings.packs_folder).parameters.segmentation

    def checked(self, asked: AskedSegmentation) -> LocalRequest:
        """See ``Backend``."""
        return LocalRequest(self.settings, asked)

    def parts_of(self, images: "Sequence[InputImage]") -> "Iterable[Sequence[InputImage]]":
        """See ``Backend``."""
        return [images]

    def submit_segment(
        self, asked: AskedSegmentation, images: "Sequence[InputImage]", *, priority: Priority, key: str
    ) -> str:
        """See ``Backend``."""
        return jobs.submit_segment(
            self.settings,
            images,
            asked.categories,
            overrides=asked.overrides,
            dispatcher=open_dispatcher(self.settings),
            bank=asked.bank,
            colours=asked.colours,
            explain=asked.explain,
            only_propose=asked.only_propose,
            priority=priority,
            idempotency_key=key,
        )

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
        """See ``Backend``."""
        return jobs.submit_ingest(
            self.settings,
            captions,
            source=source,
            dispatcher=open_dispatcher(self.settings),
            tally=tally,
            bank=bank,
            priority=priority,
            idempotency_key=key,
        )

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
        """See ``Backend``."""
        job = jobs.submit_exemplars(
            self.settings,
            exemplars,
            source=source,
            dispatcher=open_dispatcher(self.settings),
            left_out=left_out,
            bank=bank,
            priority=priority,
            idempotency_key=key,
        )
        return [job]

    def find_job(self, named: str) -> str:
        """See ``Backend``."""
        return jobs.find_job(self.settings, named)

    def list_jobs(self, *, limit: int, wanted: "JobFilter") -> "list[JobSummary]":
        """See ``Backend``."""
        return jobs.list_jobs(self.settings, limit=limit, wanted=wanted)

    def job_summary(self, named: str) -> "JobSummary":
        """See ``Backend``."""
        return jobs.job_summary(self.settings, named)

    def result_totals(self, named: str) -> dict[str, int]:
        """See ``Backend``."""
        return jobs.result_totals(self.settings, named)

    def job_items(self, named: str, *states: ItemState, limit: int | None = None) -> "list[ItemSummary]":
        """See ``Backend``."""
        return jobs.job_items(self.settings, named, *states, limit=limit)

    def item_errors(self, named: str, *, limit: int | None = None) -> "list[ItemError]":
        """See ``Backend``."""
        return jobs.item_errors(self.settings, named, limit=limit)

    def cancel_job(self, job_id: str) -> int:
        """See ``Backend``."""
        return jobs.cancel_job(self.settings, job_id)

    def retry_failed_items(self, job_id: str) -> int:
        """See ``Backend``."""
        return jobs.retry_failed_items(self.settings, job_id, dispatcher=open_dispatcher(self.settings))

    def prune_jobs(self, older_than: timedelta | None, *, dry_run: bool, only: Sequence[str]) -> "Pruned":
        """See ``Backend``."""
        return jobs.prune_jobs(self.settings, older_than or timedelta(0), dry_run=dry_run, only=only)

    def watched_changes(self, job_ids: Collection[str]) -> AbstractContextManager[Changes]:
        """See ``Backend``."""
        from freeda_svc.workers import watched_changes  # noqa: PLC0415 - only a command that waits listens

        return watched_changes(self.settings, job_ids)

    def worker_watch(self) -> "WorkerWatch":
        """See ``Backend``."""
        from freeda_svc.cli.worker_watch import WorkerWatch  # noqa: PLC0415 - only a command that waits needs it

        return WorkerWatch(self.settings)

    def missing_worker(self) -> str:
        """See ``Backend``."""
        from freeda_svc.cli import worker_watch  # noqa: PLC0415 - as above

        return worker_watch.missing_worker(self.settings)

    def take_images(self, images: "Sequence[InputImage]") -> None:
        """Nothing: the artifacts have copies of all images."""

    def submitted_images(self, job_id: str) -> "list[SubmittedImage]":
        """See ``Backend``."""
        return jobs.submitted_images(self.settings, job_id)

    def item_states(self, job_id: str) -> dict[int, ItemState]:
        """See ``Backend``."""
        return jobs.item_states(self.settings, job_id)

    def pictures_of(self, images: "Sequence[SubmittedImage]", formats: Iterable[str]) -> "list[SegmentedImage]":  # noqa: ARG002
        """See ``Backend``."""
        return jobs.pictures_of(self.settings, images)

    def export_results(
        self,
        job_id: str,
        out: Path,
        formats: Sequence[str],
        **options: Any,  # noqa: ANN401 - of formats for all images
    ) -> "list[ImageOutcome]":
        """See ``Backend``."""
        return jobs.export_results(self.settings, job_id, out, formats, **options)

    def continue_colours(self, job_id: str, earlier: Sequence[str]) -> None:
        """See ``Backend``."""
        jobs.continue_colours(self.settings, job_id, earlier)

    def proposals_of(self, job_id: str) -> dict[int, Mapping[str, Any]]:
        """See ``Backend``."""
        return jobs.proposals_of(self.settings, job_id)

    def is_kept(self, image: "SubmittedImage") -> bool:
        """See ``Backend``."""
        return jobs.is_kept(self.settings, image)

    def revision_of(self, image: "SubmittedImage") -> "BankRevision | None":
        """See ``Backend``."""
        return jobs.revision_of(self.settings, image)
