from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import JobKind, job_items, job_summary, list_jobs, submit_exemplars
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.kept_exemplars import read_kept_exemplar
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.prototypes.exemplar_files import MarkedImage, read_marked_images
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

ImageFile = Callable[..., Path]
MASK = np.eye(8, dtype=bool)


def _items(settings: Settings, job_id: str) -> list[WorkItem]:
    with reading(settings) as session:
        return list(session.scalars(select(WorkItem).where(WorkItem.job_id == job_id).order_by(WorkItem.number)))


def _marked(image_file: ImageFile, count: int) -> Iterator[MarkedImage]:
    for number in range(count):
        yield MarkedImage("moon", image_file(f"{number}.png", number), np.roll(MASK, number % 8, axis=1), "a moon")


def test_exemplars_are_cut_into_items_and_each_gets_one_message(
    settings: Settings, outbox: "Outbox", image_file: ImageFile
) -> None:
    job_id = submit_exemplars(settings, _marked(image_file, 11), source="moons", dispatcher=outbox)
    items = _items(settings, job_id)
    assert [len(item.input["exemplars"]) for item in items] == [8, 3]
    assert outbox.sent == [(JobKind.EXEMPLARS, item.id) for item in items]
    assert [item.name for item in job_items(settings, job_id)] == ["8 exemplars", "3 exemplars"]
    job = job_summary(settings, job_id)
    assert (job.kind, job.source) == (JobKind.EXEMPLARS, "moons")
    assert job.parameters == {"bank": "default@1", "exemplars": 11, "left_out": {}}


def test_what_is_kept_is_the_exemplar_whatever_becomes_of_its_files(
    settings: Settings, outbox: "Outbox", image_file: ImageFile, tmp_path: Path
) -> None:
    image, mask = image_file("night.png", 3), tmp_path / "mask.png"
    Image.fromarray(MASK * np.uint8(7)).save(mask)
    [marked] = read_marked_images("Moon", [image], [mask], "the moon")
    expected = marked.exemplar()
    job_id = submit_exemplars(settings, [marked], source="x", dispatcher=outbox)
    image.unlink()
    mask.unlink()
    [item] = _items(settings, job_id)
    [kept] = item.input["exemplars"]
    found = read_kept_exemplar(settings, kept)
    assert (found.id, found.noun, found.caption) == (expected.id, "moon", "the moon")
    assert np.array_equal(found.pixels, expected.pixels)
    assert np.array_equal(found.mask, MASK)
    assert kept["name"] == "night.png"


def test_equal_images_and_masks_are_kept_once(settings: Settings, outbox: "Outbox", image_file: ImageFile) -> None:
    marked = [MarkedImage("moon", image_file(name, 1), MASK, "a moon") for name in ("a.png", "b.png")]
    submit_exemplars(settings, marked, source="x", dispatcher=outbox)
    assert len(list((settings.artifacts_folder / "inputs").iterdir())) == 2


def test_what_was_left_out_is_asked_when_all_is_read(
    settings: Settings, outbox: "Outbox", image_file: ImageFile
) -> None:
    left_out: dict[str, int] = {}

    def counted() -> Iterator[MarkedImage]:
        yield from _marked(image_file, 1)
        left_out["crowds"] = 3

    job_id = submit_exemplars(settings, counted(), source="x", dispatcher=outbox, left_out=lambda: left_out)
    assert job_summary(settings, job_id).parameters["left_out"] == {"crowds": 3}


def test_nothing_is_accepted_or_kept_when_an_exemplar_is_not_usable(
    settings: Settings, outbox: "Outbox", image_file: ImageFile
) -> None:
    def broken() -> Iterator[MarkedImage]:
        yield from _marked(image_file, 2)
        raise InputError("the third is broken")

    with pytest.raises(InputError, match="the third is broken"):
        submit_exemplars(settings, broken(), source="x", dispatcher=outbox)
    with pytest.raises(InputError, match="no exemplars were given"):
        submit_exemplars(settings, [], source="x", dispatcher=outbox)
    with pytest.raises(NotFoundError, match="moons"):
        submit_exemplars(settings, _marked(image_file, 1), source="x", dispatcher=outbox, bank="moons")
    outbox.reachable = False
    with pytest.raises(UnavailableError):
        submit_exemplars(settings, _marked(image_file, 1), source="x", dispatcher=outbox)
    assert list_jobs(settings) == []
    assert outbox.sent == []


def test_a_damaged_image_is_reported_under_its_own_name(
    settings: Settings, outbox: "Outbox", image_file: ImageFile
) -> None:
    image = image_file("night.png", 3)
    image.write_bytes(image.read_bytes()[:60])
    job_id = submit_exemplars(settings, [MarkedImage("moon", image, MASK, "a")], source="x", dispatcher=outbox)
    [item] = _items(settings, job_id)
    with pytest.raises(InputError, match=r"^night\.png is cut off or damaged"):
        read_kept_exemplar(settings, item.input["exemplars"][0])
