"""What is submitted, and what must come of it: the same as of an undisturbed run, and once."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import select

from freeda_svc.bank import PrototypeStore, point_id
from freeda_svc.bank.points import make_payload
from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.jobs import AttemptOutcome, EventKind, ItemState, JobKind, JobState, submit_ingest, submit_segment
from freeda_svc.jobs.banks import open_banks
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, Event, Job, WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from tests.durability.halts import wait_until

CATEGORIES: list[dict[str, str | None]] = [{"name": "dog"}, {"name": "the rest", "text": "tree"}]
CAPTIONS = 260
"""How many captions there are an undisturbed run of."""
THINGS = ("dog", "cat", "cow")
UNTIMED = ("timings_seconds", "bank_version")


@cache
def caption(number: int) -> Caption:
    """One of any number of captions."""
    made = make_caption(f"a {THINGS[number % len(THINGS)]} number {number} beside a tree")
    assert made is not None
    return made


def write_images(folder: Path, count: int) -> list[Path]:
    """Write images, each different from all others."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return paths


def ingest(settings: Settings, numbers: Sequence[int], **given: Any) -> str:  # noqa: ANN401 - as submit_ingest
    """Submit captions."""
    captions = [caption(number) for number in numbers]
    return submit_ingest(settings, captions, source="captions", dispatcher=CeleryDispatcher(settings), **given)


def segment(settings: Settings, images: Sequence[Path], **given: Any) -> str:  # noqa: ANN401 - as submit_segment
    """Submit images."""
    return submit_segment(settings, images, CATEGORIES, dispatcher=CeleryDispatcher(settings), **given)


def wait_for(settings: Settings, *jobs: str) -> None:
    """Wait until jobs have ended."""
    ended = select(Job.id).where(Job.id.in_(jobs), Job.state.not_in((JobState.QUEUED, JobState.RUNNING)))

    def have_ended() -> bool:
        with reading(settings) as session:
            return len(session.scalars(ended).all()) == len(jobs)

    wait_until(have_ended, f"jobs {', '.join(jobs)} end")


@dataclass(frozen=True)
class Point:
    """A prototype as a bank has it; of its payload all but the job."""

    payload: str
    key: npt.NDArray[np.float32]
    vector: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """Everything that jobs have made, by what they were made of, so that jobs can be compared that were cut otherwise.

    Attributes:
        points: by caption, then by id.
        thumbnails: digests of the files, by caption, then by name.
        results: digests of the files, by the kept image, then by name.
        summaries: what an item's result says, by the kept image.
    """

    points: Mapping[str, Mapping[str, Point]]
    thumbnails: Mapping[str, Mapping[str, str]]
    results: Mapping[str, Mapping[str, str]]
    summaries: Mapping[str, Mapping[str, Any]]


def outcome(settings: Settings, bank: PrototypeStore) -> Outcome:
    """Read what the jobs of an installation have made."""
    points: dict[str, dict[str, Point]] = {}
    for some in bank.scan():
        for prototype in some:
            payload = {**make_payload(prototype), "job": ""}
            made = Point(json.dumps(payload, sort_keys=True), prototype.key, prototype.vector)
            points.setdefault(prototype.caption_id, {})[point_id(prototype)] = made
    thumbnails: dict[str, dict[str, str]] = {}
    for name, digest in _files(settings.artifacts_folder / "thumbnails"):
        thumbnails.setdefault(name.partition(".")[0], {})[name] = digest
    results, summaries = {}, {}
    for job, number, _, given, result in _items(settings):
        if "image" in given:
            results[given["image"]] = dict(_files(settings.artifacts_folder / "results" / job / str(number)))
            summaries[given["image"]] = _untimed(result)
    return Outcome(points, thumbnails, results, summaries)


def check_done_once(settings: Settings, folder: Path, undisturbed: Outcome) -> None:
    """See that everything an installation ever accepted is done, exactly once, as in an undisturbed run.

    Args:
        settings: of an installation whose workers have nothing to do any more.
        folder: for a copy of its bank, when a worker holds that.
        undisturbed: what came of the same, and perhaps of more.
    """
    rows = _items(settings)
    with reading(settings) as session:
        assert Counter(session.scalars(select(Job.state))) == {JobState.DONE: len({job for job, *_ in rows})}
        attempts = session.execute(select(Attempt.item_id, Attempt.outcome).order_by(Attempt.item_id, Attempt.number))
        outcomes: dict[int, list[str]] = {}
        for item, ended in attempts:
            outcomes.setdefault(item, []).append(ended)
        done = Counter(session.scalars(select(Event.item_id).where(Event.kind == EventKind.DONE)))
    assert len(outcomes) == len(rows)
    for item, ended in outcomes.items():
        assert ended[-1] == AttemptOutcome.DONE, f"item {item} ended with its attempts {ended}"
        assert ended.count(AttemptOutcome.DONE) == 1, f"item {item} was done more than once: {ended}"
        assert AttemptOutcome.RUNNING not in ended
        assert done[item] == 1
    with copied_bank(settings, folder) as bank:
        found = outcome(settings, bank)
        jobs_of = {p.caption_id: p.job for some in bank.scan() for p in some}
    wanted: set[str] = set()
    for job, number, kind, given, result in rows:
        if kind == JobKind.SEGMENT:
            image = given["image"]
            assert found.results[image] == undisturbed.results[image], f"results of image {number} of job {job}"
            assert _untimed(result) == undisturbed.summaries[image]
            assert found.summaries[image] == undisturbed.summaries[image]
            continue
        captions = [made.id for text in given["captions"] if (made := make_caption(text)) is not None]
        wanted.update(captions)
        count = sum(len(undisturbed.points[made]) for made in captions)
        counts = {"captions": len(captions), "images": len(captions), "prototypes": count, "new prototypes": count}
        assert result == counts, f"item {number} of job {job}"
        assert {jobs_of[made] for made in captions} == {job}
    _check_bank(found, undisturbed, wanted)
    assert set(found.thumbnails) == wanted
    for made in wanted:
        assert found.thumbnails[made] == undisturbed.thumbnails[made]


def _check_bank(found: Outcome, undisturbed: Outcome, captions: set[str]) -> None:
    assert set(found.points) == captions
    for made in captions:
        wanted = undisturbed.points[made]
        assert set(found.points[made]) == set(wanted)
        for identifier, point in found.points[made].items():
            assert point.payload == wanted[identifier].payload
            np.testing.assert_allclose(point.key, wanted[identifier].key, atol=1e-6)
            np.testing.assert_array_equal(point.vector, wanted[identifier].vector)


def copied_bank(settings: Settings, folder: Path) -> PrototypeStore:
    """Open the bank; a copy where it is an embedded one, since its worker does not let go of it."""
    from freeda_svc.bank import EmbeddedBanks  # noqa: PLC0415
    from freeda_svc.bank.banks import BankName  # noqa: PLC0415

    if not settings.embedded_bank:
        return open_banks(settings).open(BankName("default", 1))
    import subprocess  # noqa: PLC0415

    subprocess.run(["cp", "-r", "--sparse=always", str(settings.banks_folder), str(folder)], check=True)
    return EmbeddedBanks(folder).open(BankName("default", 1))


def _items(settings: Settings) -> list[tuple[str, int, str, dict[str, Any], dict[str, Any]]]:
    columns = (WorkItem.job_id, WorkItem.number, WorkItem.kind, WorkItem.input, WorkItem.result)
    with reading(settings) as session:
        not_done = select(WorkItem.id, WorkItem.state, WorkItem.error).where(WorkItem.state != ItemState.DONE)
        failed = session.execute(not_done).all()
        assert not failed, failed
        rows = session.execute(select(*columns).order_by(WorkItem.id))
        return [(job, number, kind, given, result) for job, number, kind, given, result in rows]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """All files but those that a killed process left aside: nothing refers to them."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith("."):
            content = path.read_bytes()
            if path.suffix == ".json":
                content = json.dumps(_untimed(json.loads(content))).encode()
            yield path.name, hashlib.sha256(content).hexdigest()


def _untimed(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in UNTIMED}
