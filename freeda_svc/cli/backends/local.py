"""This machine's own installation: its database, broker, artifacts and banks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from freeda_svc import jobs
from freeda_svc.cli.backends.protocol import AskedSegmentation, Changes
from freeda_svc.cli.session import open_dispatcher
from freeda_svc.jobs.states import ItemState, Priority
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankVersion, ImageOutcome, InputImage
    from freeda_svc.captions import Caption, CaptionTally
    from freeda_svc.cli.worker_watch import WorkerWatch
    from freeda_svc.jobs import (
        CheckedRequest,
        ItemError,
        ItemSummary,
        JobFilter,
        JobSummary,
        SubmittedImage,
    )
    from freeda_svc.outputs import SegmentedImage
    from freeda_svc.parameters import SegmentationParameters


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


class LocalBackend:
    """Answers from SQL, the artifacts and the worker that has the banks; see ``Backend``."""

    place = ""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

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

    def version_of(self, image: "SubmittedImage") -> "BankVersion | None":
        """See ``Backend``."""
        return jobs.version_of(self.settings, image)

    def bank_version(self, bank: str) -> "BankVersion":
        """See ``Backend``."""
        from freeda_svc.workers import queries  # noqa: PLC0415 - only resuming asks

        return queries.bank_version(self.settings, bank)

    def list_banks(self) -> list[dict[str, Any]]:
        """See ``Backend``."""
        from freeda_svc.workers import ask_bank  # noqa: PLC0415 - only commands about banks ask

        return cast("list[dict[str, Any]]", ask_bank(self.settings, "list_banks"))

    def create_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._change_bank("create_bank", bank)

    def switch_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._change_bank("switch_bank", bank)

    def drop_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._change_bank("drop_bank", bank)

    def _change_bank(self, question: str, bank: str) -> str:
        from freeda_svc.workers import ask_bank  # noqa: PLC0415 - as above

        return str(ask_bank(self.settings, question, bank=bank))

    def bank_stats(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        from freeda_svc.workers import bank_stats  # noqa: PLC0415 - as above

        return bank_stats(self.settings, bank)

    def bank_nouns(self, bank: str) -> dict[str, int]:
        """See ``Backend``."""
        from freeda_svc.workers import bank_nouns  # noqa: PLC0415 - as above

        return bank_nouns(self.settings, bank)

    def search_bank(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """See ``Backend``."""
        from freeda_svc.workers import search_bank  # noqa: PLC0415 - as above

        return search_bank(self.settings, text, limit=limit, bank=bank)

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """See ``Backend``."""
        from freeda_svc.packs import read_pack_parameters  # noqa: PLC0415 - only hints need it

        pack = read_pack_parameters(self.settings.pack, self.settings.packs_folder)
        return pack.name, None if pack.nouns is None else frozenset(pack.nouns)
