import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import func, select

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError
from freeda_svc.jobs import Priority, job_summary, list_jobs, submit_exemplars, submit_ingest, submit_segment
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.prototypes.exemplar_files import MarkedImage
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
Captions = Callable[[int], list[Caption]]
ImageFile = Callable[..., Path]


@both
def test_asking_again_under_a_key_makes_no_second_job(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    def ask(key: str) -> str:
        return submit_ingest(settings, captions(3), source="x", dispatcher=outbox, idempotency_key=key)

    first = ask("mine")
    sent = list(outbox.sent)
    assert ask("mine") == first
    assert outbox.sent == sent
    assert ask("other") != first
    assert ask("") != ask("")
    assert job_summary(settings, first).idempotency_key == "mine"
    assert {job.idempotency_key for job in list_jobs(settings)} == {"mine", "other", None}


def test_the_same_is_asked_when_items_are_cut_otherwise(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    ids = {
        submit_ingest(
            settings.model_copy(update={"captions_per_item": size}),
            captions(5),
            source=f"copy {size}",
            dispatcher=outbox,
            idempotency_key="mine",
        )
        for size in (2, 3)
    }
    assert len(ids) == 1


def test_another_request_under_a_key_is_reported_in_one_line(
    settings: Settings, outbox: "Outbox", captions: Captions, image_file: ImageFile
) -> None:
    first = submit_ingest(settings, captions(3), source="x", dispatcher=outbox, idempotency_key="mine")

    def segment(images: list[Path], word: str, **given: object) -> str:
        return submit_segment(settings, images, [{"name": word}], dispatcher=outbox, idempotency_key="images", **given)  # type: ignore[arg-type]

    images = [image_file("a.png", 1), image_file("b.png", 2)]
    second = segment(images, "cat")
    assert segment(images, "cat", source="elsewhere") == second
    others: list[Callable[[], str]] = [
        lambda: submit_ingest(settings, captions(4), source="x", dispatcher=outbox, idempotency_key="mine"),
        lambda: submit_ingest(
            settings, captions(3), source="x", dispatcher=outbox, idempotency_key="mine", priority=Priority.HIGH
        ),
        lambda: submit_segment(settings, images, [{"name": "cat"}], dispatcher=outbox, idempotency_key="mine"),
        lambda: segment(images, "dog"),
        lambda: segment(images[::-1], "cat"),
        lambda: segment(images[:1], "cat"),
        lambda: segment(images, "cat", overrides={"beta": 0.5}),
    ]
    for ask in others:
        with pytest.raises(InputError, match=f"was used for another request, job ({first}|{second})") as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert len(list_jobs(settings)) == 2


def test_exemplars_sent_again_under_a_key_are_the_same_job(
    settings: Settings, outbox: "Outbox", image_file: ImageFile
) -> None:
    def ask(noun: str) -> str:
        marked = MarkedImage(noun, image_file("a.png", 1), np.ones((8, 8), dtype=bool), f"a {noun}")
        return submit_exemplars(settings, [marked], source="x", dispatcher=outbox, idempotency_key="mine")

    assert ask("moon") == ask("moon")
    with pytest.raises(InputError, match="another request"):
        ask("sun")


@pytest.mark.parametrize("key", ["x" * 201, "two\nlines", "\0"])
def test_a_key_that_cannot_be_kept_is_reported_in_one_line(
    settings: Settings, outbox: "Outbox", captions: Captions, key: str
) -> None:
    with pytest.raises(InputError, match="an idempotency key is up to 200 printable characters"):
        submit_ingest(settings, captions(1), source="x", dispatcher=outbox, idempotency_key=key)


@both
def test_many_at_once_under_one_key_make_one_job(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    barrier = threading.Barrier(6)
    ids: list[str] = []

    def ask() -> None:
        barrier.wait()
        ids.append(submit_ingest(settings, captions(5), source="x", dispatcher=outbox, idempotency_key="mine"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert len(outbox.sent) == 3
    with reading(settings) as session:
        assert session.execute(select(func.count()).select_from(WorkItem)).scalar() == 3


@both
def test_a_large_job_is_accepted_in_pieces(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(5001), source="x", dispatcher=outbox)
    assert job_summary(settings, job_id).progress.queued == 2501
    assert len({item_id for _, item_id in outbox.sent}) == 2501
