"""A server, asked over the network; files are read and written here as for this machine's own installation."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from freeda_svc.batches import digest_of_file
from freeda_svc.cli.backends.protocol import AskedSegmentation, Changes
from freeda_svc.cli.backends.remote_request import RemoteRequest, request_values
from freeda_svc.client import (
    Connection,
    Jobs,
    RemoteImages,
    Upload,
    check_segments,
    submit_captions,
    submit_images,
    watched_jobs,
)
from freeda_svc.client.answers import other_version
from freeda_svc.errors import BusyError, InputError, UnavailableError
from freeda_svc.jobs import (
    ItemError,
    ItemState,
    ItemSummary,
    JobKind,
    JobState,
    JobSummary,
    Priority,
    Progress,
    SubmittedImage,
    export_pictures,
    note_job_of_this_process,
)
from freeda_svc.jobs.units import Units
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankVersion, ImageOutcome, InputImage
    from freeda_svc.captions import Caption, CaptionTally
    from freeda_svc.cli.worker_watch import WorkerWatch
    from freeda_svc.jobs import JobFilter
    from freeda_svc.outputs import SegmentedImage

PATIENCE_SECONDS = 10.0
"""For so long a server that is overloaded or away is asked again."""
WAITING_PATIENCE_SECONDS = 120.0
"""The same while a job is followed, which goes on meanwhile: a server may be restarted."""
LOOK_TIMEOUT_SECONDS = 5.0
FEW_IMAGES, FEW_BYTES = 50, 50 << 20
"""So much is submitted without asking what a server takes at once."""
PART_BYTES, ROOM_BYTES = 1024, 1 << 20
"""What a form says beside an image, and beside all of them, bytes at most."""
OPEN = (ItemState.QUEUED, ItemState.RUNNING)
LOST = (ItemState.FAILED, ItemState.CANCELLED)


class RemoteBackend:
    """Answers by asking a server; see ``Backend``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.place = settings.server
        self._connection = Connection(settings.server, settings.server_key, patience=PATIENCE_SECONDS)
        self._jobs = Jobs(self._connection)
        self._folder = TemporaryDirectory(prefix="freeda-", ignore_cleanup_errors=True)
        self._images = RemoteImages(self._connection, Path(self._folder.name))
        self._taken: Sequence[InputImage] = ()

    def close(self) -> None:
        """Let connections and what was fetched go."""
        self._connection.close()
        self._folder.cleanup()

    def pack_parameters(self) -> None:
        """See ``Backend``; the server refuses what does not go with its pack."""

    def checked(self, asked: AskedSegmentation) -> RemoteRequest:
        """See ``Backend``."""
        return RemoteRequest(self._jobs, asked)

    def parts_of(self, images: "Sequence[InputImage]") -> "Iterable[Sequence[InputImage]]":
        """See ``Backend``."""
        sizes = [_size(image.path) for image in images]
        if len(images) <= FEW_IMAGES and sum(sizes) <= FEW_BYTES:
            return [images]
        limits = self._jobs.installation()
        most, most_bytes = int(limits["most_images"]), int(limits["max_body_bytes"]) - ROOM_BYTES
        return cut_parts(images, sizes, most=most, most_bytes=most_bytes)

    def submit_segment(
        self, asked: AskedSegmentation, images: "Sequence[InputImage]", *, priority: Priority, key: str
    ) -> str:
        """See ``Backend``."""
        uploads = [Upload(image.name, image.path) for image in images]
        answer = submit_images(
            self._connection, uploads, request_values(asked, priority), key=key, rules=self.settings.input_rules
        )
        return note_job_of_this_process(str(answer["job"]))

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
        from freeda_svc.captions import CaptionSpool  # noqa: PLC0415 - only ingesting does

        with CaptionSpool() as spool:
            spool.fill(captions, tally)
            if not len(spool):
                raise InputError(f"{source}: there are no captions to ingest")
            asked = {"priority": priority.name.lower(), **({"bank": bank} if bank else {})}
            answer = submit_captions(
                self._connection,
                (caption.text for caption in spool),
                asked,
                key=key,
                source=", ".join(PurePath(name).name for name in source.split(", ")).removesuffix(".gz"),
            )
        return note_job_of_this_process(str(answer["job"]))

    def find_job(self, named: str) -> str:
        """See ``Backend``."""
        return self.job_summary(named).id

    def list_jobs(self, *, limit: int, wanted: "JobFilter") -> list[JobSummary]:
        """See ``Backend``."""
        since = "" if wanted.since is None else f"{max(1, round(wanted.since.total_seconds()))}s"
        found = self._jobs.newest(
            limit=limit,
            state=sorted(state.replace(" ", "-") for state in wanted.states),
            kind=sorted(wanted.kinds),
            source=wanted.source,
            since=since,
        )
        return [self._summary(job) for job in found]

    def job_summary(self, named: str) -> JobSummary:
        """See ``Backend``."""
        return self._summary(self._jobs.show(named))

    def result_totals(self, named: str) -> dict[str, int]:
        """See ``Backend``."""
        return {str(name): int(count) for name, count in self._jobs.show(named).get("totals", {}).items()}

    def job_items(self, named: str, *states: ItemState, limit: int | None = None) -> list[ItemSummary]:
        """See ``Backend``."""
        try:
            return [
                ItemSummary(
                    item["number"],
                    item["name"],
                    ItemState(item["state"]),
                    item["attempts"],
                    item["error"],
                    item["result"],
                )
                for item in self._jobs.items(named, *states, most=limit)
            ]
        except (KeyError, ValueError, TypeError) as error:
            raise other_version(self.place, "another kind of item") from error

    def item_errors(self, named: str, *, limit: int | None = None) -> list[ItemError]:
        """See ``Backend``; tracebacks stay on the server."""
        found = self.job_items(named, ItemState.FAILED, limit=limit)
        known = {error["number"]: error for error in self._jobs.show(named).get("errors", ()) if "number" in error}
        return [
            ItemError(
                item.number,
                item.name,
                item.attempts,
                item.error,
                details=item.error,
                worker="",
                at=_moment(known.get(item.number, {}).get("at")),
            )
            for item in found
        ]

    def cancel_job(self, job_id: str) -> int:
        """See ``Backend``."""
        try:
            return self._jobs.cancel(job_id)[1]
        except BusyError as error:  # it has ended
            raise InputError(str(error)) from error

    def retry_failed_items(self, job_id: str) -> int:
        """See ``Backend``."""
        try:
            return self._jobs.retry(job_id)[1]
        except BusyError as error:  # nothing has failed
            raise InputError(str(error)) from error

    def watched_changes(self, job_ids: Collection[str]) -> AbstractContextManager[Changes]:
        """See ``Backend``."""
        self._connection.patience = WAITING_PATIENCE_SECONDS
        return watched_jobs(self._connection, job_ids)

    def worker_watch(self) -> "WorkerWatch":
        """See ``Backend``."""
        from freeda_svc.cli.worker_watch import WorkerWatch  # noqa: PLC0415 - only a command that waits needs it

        return WorkerWatch(None, missing=self.missing_worker)

    def missing_worker(self) -> str:
        """See ``Backend``."""
        try:
            self._connection.ask("GET", "/health/ready", repeatable=False, seconds=LOOK_TIMEOUT_SECONDS)
        except UnavailableError as error:
            return f"At {self.place} nothing is done at the moment: {error}."
        return ""

    def take_images(self, images: "Sequence[InputImage]") -> None:
        """See ``Backend``."""
        self._taken = images

    def submitted_images(self, job_id: str) -> list[SubmittedImage]:
        """See ``Backend``."""
        return self._images.of_job(job_id)

    def item_states(self, job_id: str) -> dict[int, ItemState]:
        """See ``Backend``."""
        total = self.job_summary(job_id).progress.total
        # What is open is asked for first: what ends meanwhile counts as open, and never as done.
        still = {item.number: item.state for item in self.job_items(job_id, *OPEN)}
        lost = {item.number: item.state for item in self.job_items(job_id, *LOST)}
        return {**dict.fromkeys(range(1, total + 1), ItemState.DONE), **lost, **still}

    def pictures_of(self, images: Sequence[SubmittedImage], formats: Iterable[str]) -> "list[SegmentedImage]":
        """See ``Backend``."""
        return self._images.pictures(images, formats, self._here)

    def export_results(
        self,
        job_id: str,
        out: Path,
        formats: Sequence[str],
        **options: Any,  # noqa: ANN401 - of formats for all images
    ) -> "list[ImageOutcome]":
        """See ``Backend``."""
        from freeda_svc.outputs import check_formats  # noqa: PLC0415 - only exporting does

        done = [image for image in self.submitted_images(job_id) if image.state == ItemState.DONE]
        check_segments(job_id, self._images.parameters(job_id))
        chosen = check_formats(formats)
        return export_pictures(self.pictures_of(done, chosen), out, chosen, **options)[0]

    def continue_colours(self, job_id: str, earlier: Sequence[str]) -> None:
        """Nothing: all pictures of a command are drawn here, in colours that go together."""

    def proposals_of(self, job_id: str) -> dict[int, Mapping[str, Any]]:
        """See ``Backend``."""
        return {item.number: item.result for item in self.job_items(job_id, ItemState.DONE) if item.result is not None}

    def is_kept(self, image: SubmittedImage) -> bool:
        """See ``Backend``."""
        return image.state == ItemState.DONE and self._images.version(image) is not None

    def version_of(self, image: SubmittedImage) -> "BankVersion | None":
        """See ``Backend``."""
        return self._images.version(image)

    def bank_version(self, bank: str) -> "BankVersion":
        """See ``Backend``."""
        return self._jobs.bank_version(bank)

    def list_banks(self) -> list[dict[str, Any]]:
        """See ``Backend``."""
        return self._jobs.banks()

    def create_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._jobs.create_bank(bank)

    def switch_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._jobs.switch_bank(bank)

    def drop_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._jobs.drop_bank(bank)

    def bank_stats(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        return self._jobs.bank(bank)

    def bank_nouns(self, bank: str) -> dict[str, int]:
        """See ``Backend``."""
        return self._jobs.nouns(bank)

    def search_bank(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """See ``Backend``."""
        return self._jobs.search(text, limit=limit, bank=bank)

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """See ``Backend``."""
        return self._jobs.pack_nouns()

    @cached_property
    def _here(self) -> dict[str, Path]:
        """The image files that lie here, by the SHA-256 of their content."""
        return {digest_of_file(image.path, self.settings.input_rules): image.path for image in self._taken}

    def _summary(self, job: Mapping[str, Any]) -> JobSummary:
        try:
            progress = dict(job["progress"])
            units = Units(**progress.pop("units"))
            return JobSummary(
                id=job["id"],
                kind=JobKind(job["kind"]),
                state=JobState(job["state"]),
                source=job["source"],
                pack=job["pack"],
                parameters=job["parameters"],
                created_at=datetime.fromisoformat(job["created_at"]),
                updated_at=datetime.fromisoformat(job["updated_at"]),
                progress=Progress(**progress, units=units),
                priority=Priority[job["priority"].upper()],
                idempotency_key=job["idempotency_key"],
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise other_version(self.place, "another kind of job") from error


def cut_parts(
    images: "Sequence[InputImage]", sizes: Sequence[int], *, most: int, most_bytes: int
) -> "list[Sequence[InputImage]]":
    """Cut images into parts of so many images and bytes at most; one that is larger by itself is a part by itself.

    Args:
        images: in order.
        sizes: of their files, bytes.
        most: images in a part.
        most_bytes: in a part, with ``PART_BYTES`` for what a form says of each image.
    """
    parts: list[Sequence[InputImage]] = []
    start = total = 0
    for number, size in enumerate(sizes):
        if number > start and (number - start == most or total + size + PART_BYTES > most_bytes):
            parts.append(images[start:number])
            start, total = number, 0
        total += size + PART_BYTES
    return [*parts, images[start:]]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # sending it says why
        return 0


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
