"""The images of a server's jobs with their results, as the files of every format are made of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freeda_svc.batches import BankRevision, distinct_stems
from freeda_svc.client.answers import entry_of
from freeda_svc.client.connection import Connection
from freeda_svc.client.jobs import Jobs
from freeda_svc.client.kept import RemoteResult, ResultsPlace
from freeda_svc.errors import InputError
from freeda_svc.jobs import ItemState, JobKind, SubmittedImage, export_pictures
from freeda_svc.jobs.results import colours_of
from freeda_svc.jobs.segmentation_requests import ONLY_PROPOSE
from freeda_svc.library.arguments import read_formats
from freeda_svc.outputs import InputImage, SegmentedImage, check_formats, make_folder
from freeda_svc.parameters import PieceParameters

_WITHOUT_PIXELS = frozenset(
    ("mask", "summary", "scores-png", "scores-npz", "polygons", "evidence", "evidence-page", "coco", "label-studio")
)
"""Formats that need no pixels of the images."""


class RemoteImages:
    """The images of jobs, with what is fetched of their results."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        """Take a server, and a folder for what is fetched."""
        self._connection = connection
        self._jobs = Jobs(connection)
        self._folder = folder
        self._parameters: dict[str, Mapping[str, Any]] = {}
        self._revisions: dict[tuple[str, int], BankRevision | None] = {}

    def of_job(self, job: str) -> list[SubmittedImage]:
        """List the images of a segmentation job, in the order of submission.

        Args:
            job: its whole id.

        Raises:
            NotFoundError: there is no such job.
            InputError: it is not a segmentation job.
        """
        found = self._jobs.show(job)
        if found.get("kind") != JobKind.SEGMENT:
            raise InputError(f"job {job} adds to the bank; only segmentation jobs have results to export")
        self._parameters[job] = entry_of(found, "parameters", dict, self._connection.address)
        items = self._jobs.results(job)
        for item in items:
            self._revisions[job, int(item["number"])] = (item.get("summary") or {}).get("bank_version")
        stems = distinct_stems([str(item["name"]) for item in items])
        return [
            SubmittedImage(
                job,
                int(item["number"]),
                ItemState(item["state"]),
                str(item.get("sha256") or ""),
                str(item["name"]),
                str(item.get("stem") or stem),
                str(item.get("regions_sha256") or ""),
            )
            for item, stem in zip(items, stems, strict=True)
        ]

    def parameters(self, job: str) -> Mapping[str, Any]:
        """Return what a job asks of all its images."""
        if job not in self._parameters:
            self._parameters[job] = entry_of(self._jobs.show(job), "parameters", dict, self._connection.address)
        return self._parameters[job]

    def pictures(
        self, images: Sequence[SubmittedImage], formats: Iterable[str], here: Mapping[str, Path] | None = None
    ) -> list[SegmentedImage]:
        """Return what the files of images are made of, in their order.

        Args:
            images: of one or several jobs.
            formats: which files are wanted; images are fetched where one of them needs pixels.
            here: image files that lie here, by the SHA-256 of their content.
        """
        needed = not set(formats) <= _WITHOUT_PIXELS
        colours = {job: colours_of(self.parameters(job)) for job in {image.job for image in images}}
        return [
            SegmentedImage(
                InputImage(self._image(image, here or {}, needed=needed), image.name, image.stem),
                self.result(image),
                colours[image.job],
            )
            for image in images
        ]

    def revision(self, image: SubmittedImage) -> BankRevision | None:
        """Return what was in the bank when an image was segmented; None where that is not known."""
        if (image.job, image.number) not in self._revisions:
            self.of_job(image.job)
        return self._revisions.get((image.job, image.number))

    def result(self, image: SubmittedImage) -> RemoteResult:
        """Return what the server keeps of an image."""
        return RemoteResult(ResultsPlace(self._connection, image.job, self._folder), image.number)

    def _image(self, image: SubmittedImage, here: Mapping[str, Path], *, needed: bool) -> Path:
        if image.kept in here:
            return here[image.kept]
        path = self._folder / f"{image.job}-{image.number}{Path(image.name).suffix}"
        if needed and not path.is_file():
            make_folder(path.parent)
            self._connection.download(f"/v1/jobs/{image.job}/results/{image.number}.image", path)
        return path


def download_job(
    connection: Connection,
    job: Mapping[str, Any],
    out: Path,
    formats: Iterable[str] | None,
    *,
    instances: bool = False,
) -> list[Path]:
    """Write the files of a job's images that are done to a folder; return them.

    Args:
        connection: to the server.
        job: as the server shows it.
        out: the folder; is made when it is not there.
        formats: which files; the usual ones when None.
        instances: whether each connected piece counts by itself in formats of annotations.

    Raises:
        InputError: there is no such format, the job segments nothing, or nothing of it is done.
        UnavailableError: the server does not answer, or the folder cannot be written.
    """
    chosen = check_formats(() if formats is None else read_formats(formats))
    with TemporaryDirectory(prefix="freeda-") as folder:
        images = RemoteImages(connection, Path(folder))
        done = [image for image in images.of_job(str(job["id"])) if image.state == ItemState.DONE]
        check_segments(str(job["id"]), job["parameters"])
        if not done:
            raise InputError(f"no image of job {job['id']} is done; it is {job['state']}")
        pictures = images.pictures(done, chosen)
        pieces = PieceParameters(instances=instances)
        exported, collected = export_pictures(pictures, out, chosen, pieces=pieces)
    for outcome in exported:
        if outcome.error:
            raise InputError(f"{outcome.image.name}: {outcome.error}")
    return [*(path for outcome in exported for path in outcome.files.values()), *collected]


def check_segments(job: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a job that segments nothing.

    Raises:
        InputError: it only proposes categories.
    """
    if parameters.get(ONLY_PROPOSE):
        raise InputError(f"job {job} only proposed categories for its images; a later job segmented them")
