"""Jobs of a server, as plain values."""

from collections.abc import Iterator, Sequence
from typing import Any

from freeda_svc.client.answers import entry_of
from freeda_svc.client.pages import MOST_ITEMS, Pages, path_part

MOST_JOBS = 200
"""How many a server lists at once."""
PRUNE_SECONDS = 3600.0
"""So long the removal of jobs may take before the server answers."""


class Jobs(Pages):
    """What a server says of jobs."""

    def newest(self, *, limit: int, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of the query
        """List jobs, the newest first."""
        return self.pages("/v1/jobs", most=limit, at_once=MOST_JOBS, **wanted)

    def show(self, job: str) -> dict[str, Any]:
        """Look at one job, by its id or the beginning of it."""
        found = self._connection.ask("GET", _of_job(job))
        for name, kind in (("id", str), ("state", str), ("progress", dict)):
            entry_of(found, name, kind, self._address)
        return dict(found)

    def items(self, job: str, *states: str, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Go through a job's items, in order; only those in one of the states, when some are given."""
        return self.each(f"{_of_job(job)}/items", most=most, at_once=MOST_ITEMS, state=states)

    def results(self, job: str) -> list[dict[str, Any]]:
        """List what became of a segmentation job's images, in order."""
        found = self.pages(f"{_of_job(job)}/results", at_once=MOST_ITEMS)
        for item in found:
            for name, kind in (("number", int), ("name", str), ("state", str)):
                entry_of(item, name, kind, self._address)
        return found

    def cancel(self, job: str) -> tuple[str, int]:
        """Cancel what a job has not begun; return its whole id, and how many items that are."""
        answer = self._connection.ask("DELETE", _of_job(job))
        return self._counted(answer, "cancelled")

    def retry(self, job: str) -> tuple[str, int]:
        """Try a job's failed items again; return its whole id, and how many they are."""
        answer = self._connection.ask("POST", f"{_of_job(job)}/retry")
        return self._counted(answer, "queued")

    def prune(self, *, older_than: str = "", only: Sequence[str] = (), dry_run: bool) -> dict[str, Any]:
        """Remove jobs with their results, or only say which.

        Args:
            older_than: how long ago they ended at least, as in ``30d``; the server's usual time when empty.
            only: these jobs and no others, by their ids or the beginnings of them.
            dry_run: remove nothing.

        Returns:
            ``jobs``, and how many ``files`` and ``bytes`` they take.
        """
        given = {"dry_run": dry_run, "jobs": list(only), **({"older_than": older_than} if older_than else {})}
        found = self._connection.ask("POST", "/v1/prune", body=lambda: {"json": given}, seconds=PRUNE_SECONDS)
        for name, kind in (("jobs", list), ("files", int), ("bytes", int)):
            entry_of(found, name, kind, self._address)
        return dict(found)

    def _counted(self, answer: object, name: str) -> tuple[str, int]:
        return entry_of(answer, "job", str, self._address), entry_of(answer, name, int, self._address)


def _of_job(job: str) -> str:
    return f"/v1/jobs/{path_part(job, 'a job')}"
