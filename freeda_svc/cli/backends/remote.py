"""A server, asked over the network; files are read and written here as for this machine's own installation."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from freeda_svc.batches import digest_of_file
from freeda_svc.cli.backends.protocol import AskedSegmentation, Changes
from freeda_svc.cli.backends.remote_banks import RemoteBanks
from freeda_svc.cli.backends.remote_request import RemoteRequest, request_values
from freeda_svc.cli.backends.request_names import RequestNames, name_of_part
from freeda_svc.client import (
    Connection,
    Jobs,
    MarkedUpload,
    RemoteImages,
    Upload,
    check_segments,
    marked_parts,
    parts_for,
    size_of,
    submit_captions,
    submit_images,
    submit_marked,
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
    Pruned,
    PrunedJob,
    SubmittedImage,
    check_exemplars,
    export_pictures,
    note_job_of_this_process,
    request_digest,
)
from freeda_svc.jobs.units import Units
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankRevision, ImageOutcome, InputImage
    from freeda_svc.captions import Caption, CaptionTally
    from freeda_svc.cli.worker_watch import WorkerWatch
    from freeda_svc.jobs import JobFilter
    from freeda_svc.outputs import SegmentedImage
    from freeda_svc.prototypes import MarkedImage

PATIENCE_SECONDS = 10.0
"""For so long a server that is overloaded or away is asked again."""
WAITING_PATIENCE_SECONDS = 120.0
"""The same while a job is followed, which goes on meanwhile: a server may be restarted."""
LOOK_TIMEOUT_SECONDS = 5.0
OPEN = (ItemState.QUEUED, ItemState.RUNNING)
LOST = (ItemState.FAILED, ItemState.CANCELLED)


class RemoteBackend(RemoteBanks):
    """Answers by asking a server; see ``Backend``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._connection = Connection(settings.server, settings.server_key, patience=PATIENCE_SECONDS)
        super().__init__(self._connection)
        self._names = RequestNames(settings.submissions_folder)
        self._jobs = Jobs(self._connection)
        self._folder = TemporaryDirectory(prefix="freeda-", ignore_cleanup_errors=True)
        self._images = RemoteImages(self._connection, Path(self._folder.name))
        self._taken: Sequence[InputImage] = ()
        self._digests: dict[Path, str] = {}

    def close(self) -> None:
        """Let connections and what was fetched go."""
        self._names.close()
        self._connection.close()
        self._folder.cleanup()

    def pack_parameters(self) -> None:
        """See ``Backend``; the server refuses what does not go with its pack."""

    def checked(self, asked: AskedSegmentation) -> RemoteRequest:
        """See ``Backend``."""
        return RemoteRequest(self._jobs, asked)

    def parts_of(self, images: "Sequence[InputImage]") -> "Iterable[Sequence[InputImage]]":
        """See ``Backend``."""
        sizes = [size_of(image.path) + (0 if image.regions is None else size_of(image.regions)) for image in images]
        return parts_for(self._jobs, images, sizes)

    def submit_segment(
        self, asked: AskedSegmentation, images: "Sequence[InputImage]", *, priority: Priority, key: str
    ) -> str:
        """See ``Backend``."""
        uploads = [Upload(image.name, image.path) for image in images]
        own = [Upload(image.regions.name, image.regions) for image in images if image.regions is not None]
        request, rules = request_values(asked, priority), self.settings.input_rules
        sent = [] if key else [[image.name, *map(self._digest, _files_of(image))] for image in images]
        with self._names.name(key, self.place, "segment", request, sent) as name:
            answer = submit_images(self._connection, uploads, request, key=name, rules=rules, regions=own)
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
            sent = "" if key else request_digest(asked, (caption.text for caption in spool))
            with self._names.name(key, self.place, "ingest", asked, sent) as name:
                answer = submit_captions(
                    self._connection,
                    (caption.text for caption in spool),
                    asked,
                    key=name,
                    source=", ".join(PurePath(name).name for name in source.split(", ")).removesuffix(".gz"),
                )
        return note_job_of_this_process(str(answer["job"]))

    def submit_exemplars(
        self,
        exemplars: "Iterable[MarkedImage]",
        *,
        source: str,
        left_out: Callable[[], Mapping[str, int]],  # noqa: ARG002 - the server leaves nothing out
        bank: str,
        priority: Priority,
        key: str,
    ) -> list[str]:
        """See ``Backend``."""
        checked = check_exemplars(exemplars)
        images = {one.image: Upload(one.image.name, one.image) for one in checked}
        marked = [
            MarkedUpload(images[one.image], Upload("mask.png", one.mask), one.noun, one.caption) for one in checked
        ]
        asked = {
            "drawn_on": "upright",  # as the masks are that were read
            "source": ", ".join(PurePath(name).name for name in source.split(", ")),
            "priority": priority.name.lower(),
            **({"bank": bank} if bank else {}),
        }
        accepted = []
        for number, part in enumerate(marked_parts(self._jobs, marked)):
            sent = [] if key else [self._digest_of(one) for one in part]
            with self._names.name(name_of_part(key, number), self.place, "exemplars", asked, sent) as name:
                answer = submit_marked(self._connection, part, asked, key=name, rules=self.settings.input_rules)
            accepted.append(note_job_of_this_process(str(answer["job"])))
        return accepted

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

    def prune_jobs(self, older_than: timedelta | None, *, dry_run: bool, only: Sequence[str]) -> Pruned:
        """See ``Backend``."""
        since = "" if older_than is None else f"{round(older_than.total_seconds())}s"
        try:
            found = self._jobs.prune(older_than=since, only=only, dry_run=dry_run)
            return Pruned(tuple(map(_pruned_job, found["jobs"])), found["files"], found["bytes"])
        except (KeyError, ValueError, TypeError) as error:
            raise other_version(self.place, "another kind of job") from error

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
        return image.state == ItemState.DONE and self._images.revision(image) is not None

    def revision_of(self, image: SubmittedImage) -> "BankRevision | None":
        """See ``Backend``."""
        return self._images.revision(image)

    @cached_property
    def _here(self) -> dict[str, Path]:
        """The image files that lie here, by the SHA-256 of their content."""
        return {self._digest(image.path): image.path for image in self._taken}

    def _digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, which is read once for it."""
        if path not in self._digests:
            self._digests[path] = digest_of_file(path, self.settings.input_rules)
        return self._digests[path]

    def _digest_of(self, marked: MarkedUpload) -> list[str]:
        assert isinstance(marked.image.content, Path)
        assert isinstance(marked.mask.content, bytes)
        mask = hashlib.sha256(marked.mask.content).hexdigest()
        return [self._digest(marked.image.content), mask, marked.noun, marked.caption]

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


def _pruned_job(job: Mapping[str, Any]) -> PrunedJob:
    return PrunedJob(
        id=job["id"],
        kind=JobKind(job["kind"]),
        state=JobState(job["state"]),
        source=job["source"],
        items=job["items"],
        ended_at=datetime.fromisoformat(job["ended_at"]),
    )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _files_of(image: "InputImage") -> "list[Path]":
    """Return an image's file, and that of its regions where it has any."""
    return [image.path] if image.regions is None else [image.path, image.regions]
