"""A server as the library sees it: the same results, made elsewhere."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freeda_svc.client.answers import entry_of
from freeda_svc.client.bank_client import BankClient
from freeda_svc.client.job_client import DONE, FAILED, Job, Progress
from freeda_svc.client.kept import RemoteResult, ResultsPlace
from freeda_svc.client.parts import parts_for, size_of
from freeda_svc.client.region_uploads import RegionsOfUploads, read_region_uploads
from freeda_svc.client.results import library_result
from freeda_svc.client.submissions import MarkedUpload, category_values, submit_captions, submit_images, submit_marked
from freeda_svc.client.uploads import Upload, is_one_image, read_mask_upload, read_upload, read_uploads
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.images import PAPER, DrawnOn
from freeda_svc.library import Result
from freeda_svc.library.arguments import (
    CategoriesLike,
    ImageLike,
    MaskLike,
    described,
    is_region_way,
    read_categories,
    read_image,
    read_text,
)
from freeda_svc.parameters import SegmentationOverrides

ANSWER_SECONDS = 10.0
"""For so long a server may wait for the end of a job before it answers, which saves asking for it."""


class Client(BankClient):
    """A server of freeda, asked over the network; may be used from several threads, and as a context.

    >>> client = Client("http://127.0.0.1:8470")
    >>> results = client.segment(["a.png", "b.png"], ["boat|ship", "water"])  # doctest: +SKIP
    """

    def segment(
        self,
        images: ImageLike | Iterable[ImageLike],
        categories: CategoriesLike | None,
        *,
        background: Iterable[str] = (),
        vocabulary: str | None = None,
        bank: str = "",
        explain: bool = False,
        priority: str = "normal",
        regions: RegionsOfUploads = None,
        timeout: float | None = None,
        progress: Progress | None = None,
        **parameters: Any,  # noqa: ANN401 - the server checks them
    ) -> list[Result]:
        """Segment images on the server; return their results, in the order of the images.

        More images than the server takes at once become several jobs.

        Args:
            images: one image (the path of a file, the bytes of one, a Pillow image, an array), several, or a folder.
            categories: as ``Segmenter.segment`` takes them; None lets the bank propose some for each image.
            background: words that fold into one further category.
            vocabulary: a built-in vocabulary, whose classes come first.
            bank: whose prototypes are used, as in ``animals`` or ``animals@2``; the server's usual one when empty.
            explain: whether evidence is kept, for ``download``.
            priority: ``low``, ``normal`` or ``high``.
            regions: regions of your own, as ``Segmenter.segment`` takes them: for one image, a list with an entry for
                each of several, or a folder with a file for each; or one of ``superpixels`` and ``masks``.
            timeout: seconds after which the waiting ends; the job goes on.
            progress: is called as images are done.
            **parameters: any parameter of the segmentation by its name, such as ``k=350``.

        Raises:
            InputError: something is not usable, or an image could not be segmented.
            NotFoundError: there is no such bank.
            UnavailableError: the server does not answer, a job was cancelled, or it took longer than ``timeout``.
        """
        uploads, parameters = read_uploads(images), _with_way(parameters, regions)
        own = read_region_uploads(regions, uploads, single=is_one_image(images), parameters=parameters)
        parts = self._cut(uploads, own)
        asked: dict[str, Any] = {
            "background": list(background),
            "vocabulary": vocabulary,
            "bank": bank,
            "explain": explain,
            "priority": priority,
        }
        named = categories if categories is None or isinstance(categories, str) else list(categories)
        if progress is None and len(parts) == 1:
            asked["wait"] = min(ANSWER_SECONDS, timeout or ANSWER_SECONDS)
        until = None if timeout is None else time.monotonic() + timeout
        jobs: list[str] = []
        try:
            jobs.extend(
                self._submit(part, named, parameters, own=own, **asked) for part in parts
            )  # one after the other
        except BaseException:
            self._cancel_all(jobs)
            raise
        results: list[Result] = []
        for job, part in zip(jobs, parts, strict=True):
            left = None if until is None else max(0.0, until - time.monotonic())
            ended = self.wait(job, timeout=left, progress=_after(progress, len(results), len(uploads)))
            if ended["state"] != DONE:
                raise self._failure(ended)
            results.extend(self._results(job, part))
        return results

    def submit(
        self,
        images: ImageLike | Iterable[ImageLike],
        categories: CategoriesLike | None,
        *,
        idempotency_key: str = "",
        background: Iterable[str] = (),
        vocabulary: str | None = None,
        bank: str = "",
        explain: bool = False,
        priority: str = "normal",
        regions: RegionsOfUploads = None,
        **parameters: Any,  # noqa: ANN401 - the server checks them
    ) -> str:
        """Have images segmented without waiting for it; return the id of their job.

        They must be as few as the server takes at once, 1,000 mostly.

        Args:
            images: as ``segment`` takes them.
            categories: as above.
            idempotency_key: your own name for the request: asking again under it gives the same job.
            background: as above.
            vocabulary: as above.
            bank: as above.
            explain: as above.
            priority: as above.
            regions: as above.
            **parameters: as above.

        Raises:
            FreedaError: as in ``segment``; nothing was accepted then.
        """
        uploads, parameters = read_uploads(images), _with_way(parameters, regions)
        own = read_region_uploads(regions, uploads, single=is_one_image(images), parameters=parameters)
        parts = self._cut(uploads, own)
        if len(parts) > 1:
            raise InputError(
                f"{len(uploads):,} images are more than {self.address} takes in one job: submit at most "
                f"{len(parts[0]):,} of these at once, or let `segment` cut them into several jobs"
            )
        return self._submit(
            uploads,
            categories,
            parameters,
            own=own,
            key=idempotency_key,
            background=list(background),
            vocabulary=vocabulary,
            bank=bank,
            explain=explain,
            priority=priority,
        )

    def results(self, job: str) -> Iterator[Result]:
        """Fetch the results of a job's images that are done, one after the other, with the images themselves.

        Raises:
            NotFoundError: there is no such job.
            UnavailableError: the server does not answer.
        """
        return self._results(self.job(job)["id"], ())

    def ingest(
        self,
        captions: Iterable[str],
        *,
        bank: str = "",
        priority: str = "normal",
        idempotency_key: str = "",
        wait: bool = True,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Job:
        """Turn captions into prototypes.

        Args:
            captions: sentences.
            bank: to add to; the server's usual one when empty.
            priority: ``low``, ``normal`` or ``high``.
            idempotency_key: your own name for the request: asking again under it gives the same job.
            wait: whether to return only when the job has ended.
            timeout: seconds after which the waiting ends; the job goes on.
            progress: is called as captions are done.

        Returns:
            The job; ``totals`` says what it has added so far.

        Raises:
            FreedaError: as in ``segment``.
        """
        if isinstance(captions, str | bytes | Mapping) or not isinstance(captions, Iterable):
            raise InputError(f"captions are a list of texts, not {described(captions)}")
        texts = [read_text(caption, "a caption") for caption in captions]
        asked = {"bank": bank, "priority": priority}
        answer = submit_captions(self.connection, texts, _given(asked), key=idempotency_key)
        return self._ended(answer["job"], wait=wait, timeout=timeout, progress=progress)

    def exemplars(
        self,
        noun: str,
        pairs: Iterable[tuple[ImageLike, MaskLike]],
        *,
        caption: str = "",
        drawn_on: DrawnOn | None = None,
        bank: str = "",
        priority: str = "normal",
        idempotency_key: str = "",
        wait: bool = True,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Job:
        """Teach the bank a noun by images and masks of one's own.

        Args:
            noun: what the masks show.
            pairs: images, each with a mask that is not zero where the object is.
            caption: a sentence about the images.
            drawn_on: what was marked of images that have an EXIF orientation: the ``upright`` picture, or their pixels
                as ``stored``.
            bank: as ``ingest`` takes it, as what follows.
            priority: as above.
            idempotency_key: as above.
            wait: as above.
            timeout: as above.
            progress: as above.

        Raises:
            FreedaError: as in ``segment``.
        """
        marked = [MarkedUpload(read_upload(image), read_mask_upload(mask)) for image, mask in pairs]
        if not marked:
            raise InputError("no images were given; give at least one with its mask")
        asked = {
            "noun": read_text(noun, "the noun"),
            "caption": caption,
            "drawn_on": drawn_on,
            "bank": bank,
            "priority": priority,
        }
        answer = submit_marked(self.connection, marked, _given(asked), key=idempotency_key)
        return self._ended(answer["job"], wait=wait, timeout=timeout, progress=progress)

    def _cut(self, uploads: Sequence[Upload], own: Mapping[int, Upload]) -> list[Sequence[Upload]]:
        """Cut images into as many as one job takes, with their regions."""
        files = [[upload, own[id(upload)]] if own else [upload] for upload in uploads]
        return parts_for(self._jobs, uploads, [sum(size_of(file.content) for file in of_one) for of_one in files])

    def _submit(
        self,
        uploads: Sequence[Upload],
        categories: CategoriesLike | None,
        parameters: Mapping[str, Any],
        *,
        own: Mapping[int, Upload] | None = None,
        key: str = "",
        wait: float = 0.0,
        **asked: Any,  # noqa: ANN401 - fields of the route
    ) -> str:
        checked = SegmentationOverrides.read(parameters).given()
        named = None if categories is None else list(categories) if not isinstance(categories, str) else categories
        if named is None and not asked["vocabulary"]:
            asked["auto"] = True
        elif named or not asked["vocabulary"]:
            asked["categories"] = category_values(read_categories(named or []))
        regions = [own[id(upload)] for upload in uploads] if own else []
        request = _given({**asked, **checked})
        answer = submit_images(self.connection, uploads, request, key=key, wait=wait, regions=regions)
        return str(answer["job"])

    def _results(self, job: str, uploads: Iterable[Upload]) -> Iterator[Result]:
        """Fetch results; of images that were uploaded the pixels are those that are here."""
        here = list(uploads)
        with TemporaryDirectory(prefix="freeda-") as folder:
            place = ResultsPlace(self.connection, job, Path(folder))
            for item in self._jobs.items(job, DONE):
                number = entry_of(item, "number", int, self.address)
                kept = RemoteResult(place, number)
                fill = str(kept.summary.get("parameters", {}).get("fill_transparent", "")) or PAPER
                if number <= len(here):
                    name, content = here[number - 1].name, here[number - 1].content
                else:
                    name, content = str(item["name"]), kept.folder / "picture"
                    place.fetch(number, "image", content)
                pixels = read_image(content, fill).pixels
                yield library_result(kept, pixels, name)
                kept.remove()

    def _cancel_all(self, jobs: Iterable[str]) -> None:
        """Let what was submitted of a request that cannot be completed not be done."""
        for job in jobs:
            with suppress(FreedaError):
                self.cancel(job)

    def _ended(self, job: str, *, wait: bool, timeout: float | None, progress: Progress | None) -> Job:
        return self.wait(job, timeout=timeout, progress=progress) if wait else self.job(job)

    def _failure(self, job: Job) -> InputError | UnavailableError:
        """Return the error for images that were not segmented."""
        if job["state"] == "cancelled":
            return UnavailableError(f"job {job['id']} was cancelled")
        failed = list(self._jobs.items(job["id"], FAILED))
        first = f"{failed[0]['name']}: {failed[0]['error']}" if failed else "no reason is known"
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return InputError(f"job {job['id']} is {job['state']}: {first}{more}; results({job['id']!r}) has the others")


def _after(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Return what is to be called with the progress of one of several jobs."""
    if progress is None:
        return None
    return lambda done, _of_job: progress(before + done, total)


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is as it is by default."""
    return {name: value for name, value in asked.items() if value not in (None, "", False) and value != []}


def _with_way(parameters: Mapping[str, Any], regions: object) -> dict[str, Any]:
    """Return parameters with the way of regions, where a word names it."""
    return {**parameters, "regions": regions} if is_region_way(regions) else dict(parameters)
