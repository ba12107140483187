"""What a client does with jobs, whatever they are about."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from freeda_svc.client.answers import entry_of
from freeda_svc.client.changes import watched_jobs
from freeda_svc.client.connection import Connection
from freeda_svc.client.jobs import Jobs
from freeda_svc.errors import UnavailableError

FIRST_LOOK_SECONDS, LOOK_SECONDS = 0.1, 2.0
"""Pauses between two looks at a job where no event says that it has changed: the first one, and the longest."""
DONE, FAILED = "done", "failed"
ENDED = frozenset((DONE, FAILED, "partly failed", "cancelled"))

Job = dict[str, Any]
"""A job as ``freeda jobs show --json`` prints it, without its items."""
Progress = Callable[[int, int], None]
"""Is called with how many images, captions or exemplars of a job are done, and how many it has."""


class JobClient:
    """A server's jobs; ``BankClient`` adds its banks, and ``Client`` what makes jobs."""

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        patience: float = 20.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Take an address; nothing is sent yet.

        Args:
            address: of the server, such as ``http://127.0.0.1:8470``; behind a proxy it may end in a path.
            key: that the server asks for on other addresses than loopback ones; it is sent to this address only.
            timeout: seconds within which an answer has to begin.
            patience: so many seconds a server that breaks off or is overloaded (503) is asked again.
            transport: what carries requests in the place of the network, for tests.

        Raises:
            InputError: address or key cannot be ones.
        """
        self.connection = Connection(address, key, timeout=timeout, patience=patience, transport=transport)
        self._jobs = Jobs(self.connection)

    @property
    def address(self) -> str:
        """Of the server."""
        return self.connection.address

    def close(self) -> None:
        """Let all connections go; the client is of no use afterwards."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.address}>"

    def jobs(
        self,
        *,
        limit: int = 20,
        state: Iterable[str] = (),
        kind: Iterable[str] = (),
        source: str = "",
        since: str = "",
    ) -> list[Job]:
        """List jobs, the newest first, as ``freeda jobs list --json`` does.

        Args:
            limit: how many.
            state: some of ``queued``, ``running``, ``done``, ``failed``, ``partly-failed``, ``cancelled``, ``open``,
                ``ended``.
            kind: some of ``ingest``, ``segment``, ``exemplars``, ``export``, ``import``.
            source: what the source contains.
            since: how long ago they were submitted at most, as in ``2d``, ``12h`` or ``45m``.
        """
        return self._jobs.newest(limit=limit, state=list(state), kind=list(kind), source=source, since=since)

    def job(self, job: str) -> Job:
        """Look at a job, by its id or the beginning of it.

        Raises:
            NotFoundError: there is no such job.
        """
        return self._jobs.show(job)

    def items(self, job: str) -> list[dict[str, Any]]:
        """List a job's items: ``number``, ``name``, ``state``, ``attempts``, ``error``, ``result``."""
        return list(self._jobs.items(job))

    def wait(self, job: str, *, timeout: float | None = None, progress: Progress | None = None) -> Job:
        """Wait until a job has ended; return it as it is then.

        Args:
            job: its id, or the beginning of it.
            timeout: seconds; without an end when None.
            progress: is called with how much is done, now and then.

        Raises:
            NotFoundError: there is no such job.
            UnavailableError: the server does not answer, or the job has not ended in time; it goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        seen = self._look(job, progress)
        if _has_ended(seen):
            return seen
        pause = FIRST_LOOK_SECONDS
        with watched_jobs(self.connection, [seen["id"]]) as changes:
            while not _has_ended(seen := self._look(seen["id"], progress)):
                left = pause if until is None else until - time.monotonic()
                if left <= 0:
                    raise UnavailableError(
                        f"job {seen['id']} has not ended within {timeout:g} s and goes on; wait({seen['id']!r}) "
                        "follows it"
                    )
                changes.wait(min(pause, left))
                pause = min(2 * pause, LOOK_SECONDS)
        return seen

    def cancel(self, job: str) -> int:
        """Cancel what a job has not begun; return how many items that are.

        Raises:
            BusyError: it has ended already.
            NotFoundError: there is no such job.
        """
        return self._jobs.cancel(job)[1]

    def retry(self, job: str) -> int:
        """Try a job's failed items again; return how many they are.

        Raises:
            BusyError: none has failed.
            NotFoundError: there is no such job.
        """
        return self._jobs.retry(job)[1]

    def prune(self, *jobs: str, older_than: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Remove jobs with their results for good, as ``freeda jobs prune`` does; needs a key that may administer.

        Args:
            *jobs: these and no others, by their ids or the beginnings of them; without any, all that are old.
            older_than: how long ago jobs ended at least, as in ``30d``, which is meant when it is empty.
            dry_run: remove nothing.

        Returns:
            ``jobs`` that were removed, or would be, with how many ``files`` and ``bytes``.

        Raises:
            BusyError: a job that is named has not ended.
            InputError: jobs are named and a time is given.
            NotFoundError: there is no such job.
        """
        return self._jobs.prune(older_than=older_than, only=jobs, dry_run=dry_run)

    def download(
        self,
        job: str,
        out: str | os.PathLike[str],
        formats: Iterable[str] | None = None,
        *,
        instances: bool = False,
    ) -> list[Path]:
        """Write the files of a job's images that are done to a folder, as ``freeda jobs export`` does.

        Args:
            job: its id, or the beginning of it.
            out: the folder; is made when it is not there.
            formats: as ``Result.save`` takes them, and ``evidence`` and ``evidence-page`` where the job explains; mask,
                overlay and summary by default.
            instances: whether each connected piece counts by itself in formats of annotations.

        Returns:
            What was written.

        Raises:
            InputError: there is no such format, or the job segments nothing.
            NotFoundError: there is no such job.
            UnavailableError: the server does not answer, or the folder cannot be written.
        """
        from freeda_svc.client.downloads import download_job  # noqa: PLC0415 - brings the database's library

        return download_job(self.connection, self.job(job), Path(out).expanduser(), formats, instances=instances)

    def _look(self, job: str, progress: Progress | None) -> Job:
        seen = self.job(job)
        if progress is not None:
            units = entry_of(seen["progress"], "units", dict, self.address)
            progress(int(units["done"]), int(units["total"]))
        return seen


def _has_ended(job: Job) -> bool:
    progress = job["progress"]
    return job["state"] in ENDED and not progress["queued"] and not progress["running"]
