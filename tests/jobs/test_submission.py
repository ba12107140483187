import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from freeda_svc.captions.caption import Caption, CaptionTally, make_caption
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import (
    JobKind,
    JobState,
    acceptance,
    job_items,
    job_summary,
    list_jobs,
    submit_ingest,
    submit_segment,
)
from freeda_svc.jobs.acceptance import FEW_ITEMS
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.dispatch import UnsentWatch, items_lacking_messages
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.settings import Settings, load_settings

if TYPE_CHECKING:
    from conftest import Outbox

Captions = Callable[[int], list[Caption]]
ImageFile = Callable[..., Path]
CATEGORIES = [{"name": "cat"}, {"name": "other", "text": "background", "prototype_text": None}]


def _items(settings: Settings, job_id: str) -> list[WorkItem]:
    with reading(settings) as session:
        return list(session.scalars(select(WorkItem).where(WorkItem.job_id == job_id).order_by(WorkItem.number)))


def _sent_at(settings: Settings, job_id: str) -> datetime | None:
    with reading(settings) as session:
        return session.get_one(Job, job_id).sent_at


def test_captions_are_cut_into_items_and_each_gets_one_message(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    job_id = submit_ingest(settings, iter(captions(5)), source="five.txt", dispatcher=outbox)

    items = _items(settings, job_id)
    assert [item.input["captions"] for item in items] == [
        ["a cat number 0 on a mat", "a cat number 1 on a mat"],
        ["a cat number 2 on a mat", "a cat number 3 on a mat"],
        ["a cat number 4 on a mat"],
    ]
    assert outbox.sent == [(JobKind.INGEST, item.id) for item in items]
    assert _sent_at(settings, job_id) is not None
    job = job_summary(settings, job_id)
    assert (job.kind, job.state, job.source, job.pack) == ("ingest", "queued", "five.txt", settings.pack)
    assert job.progress.total == job.progress.queued == 3


def test_a_caption_that_comes_twice_is_taken_once(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(2) + captions(3), source="x", dispatcher=outbox)
    assert [text for item in _items(settings, job_id) for text in item.input["captions"]] == [
        caption.text for caption in captions(3)
    ]


def test_what_was_left_out_is_kept_with_the_job(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    tally = CaptionTally(read=9, empty=1, too_long=2, repeated=1)
    job_id = submit_ingest(settings, captions(2) + captions(3), source="x", dispatcher=outbox, tally=tally)
    assert job_summary(settings, job_id).parameters == {
        "bank": "default@1",
        "captions": 3,
        "left_out": {"empty": 1, "too long": 2, "repeated": 3},
    }


@pytest.mark.slow
def test_accepting_captions_takes_memory_for_ids_only(settings: Settings, outbox: "Outbox") -> None:
    def peak(count: int) -> int:
        made = (make_caption(f"{'long ' * 150} caption number {number}") for number in range(count))
        tracemalloc.start()
        submit_ingest(settings, (caption for caption in made if caption), source="x", dispatcher=outbox)
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    peak(2)  # what is imported for the first time counts, too
    characters = 750 * 2000
    assert peak(6000) - peak(4000) < characters / 2


def test_nothing_is_accepted_when_reading_captions_fails_half_way(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    def broken() -> Iterator[Caption]:
        yield from captions(5)
        raise InputError("line 6 is broken")

    with pytest.raises(InputError, match="line 6"):
        submit_ingest(settings, broken(), source="x", dispatcher=outbox)
    assert list_jobs(settings) == []
    assert outbox.sent == []


def test_no_captions_are_refused(settings: Settings, outbox: "Outbox") -> None:
    with pytest.raises(InputError, match=r"^empty.txt: there are no captions"):
        submit_ingest(settings, [], source="empty.txt", dispatcher=outbox)


def test_an_unknown_pack_is_refused(tmp_path: Path, outbox: "Outbox", captions: Captions) -> None:
    settings = load_settings(home=tmp_path / "home", pack=str(tmp_path / "nothing"), database_url="")
    with pytest.raises(NotFoundError):
        submit_ingest(settings, captions(1), source="x", dispatcher=outbox)


def test_nothing_is_accepted_when_the_queue_does_not_answer(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    outbox.reachable = False
    with pytest.raises(UnavailableError):
        submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    assert list_jobs(settings) == []


@pytest.mark.parametrize("trouble", ["keeps_messages", "fails_while_sending"])
@pytest.mark.parametrize("items", [2, FEW_ITEMS + 1])
def test_what_is_accepted_stays_owed_when_messages_cannot_be_sent(
    settings: Settings, outbox: "Outbox", captions: Captions, trouble: str, items: int
) -> None:
    setattr(outbox, trouble, trouble == "fails_while_sending")
    job_id = submit_ingest(settings, captions(items * settings.captions_per_item), source="x", dispatcher=outbox)
    assert job_summary(settings, job_id).state == JobState.QUEUED
    assert len(items_lacking_messages(settings, JobKind.INGEST, messages=0)) == items
    # Messages that could still be on their way are not sent again for a while; few would have arrived by now.
    assert UnsentWatch(settings).young() == (frozenset([job_id]) if items > FEW_ITEMS else frozenset())


def test_the_source_of_images_is_the_only_one_or_the_folder_above_all(
    settings: Settings, outbox: "Outbox", image_file: ImageFile, tmp_path: Path
) -> None:
    images = [image_file("a/x.png", 1), image_file("a/y.png", 2), image_file("b/z.png", 3)]

    def source(count: int) -> str:
        job = submit_segment(settings, images[:count], CATEGORIES, dispatcher=outbox)
        return job_summary(settings, job).source

    assert source(1) == str(images[0])
    assert source(2) == str(images[0].parent)
    assert source(3) == str(images[0].parents[1])


def test_images_are_copied_under_their_content(settings: Settings, outbox: "Outbox", image_file: ImageFile) -> None:
    first, same, other = image_file("a.PNG", 1), image_file("b.png", 1), image_file("c.png", 2)
    contents = first.read_bytes()
    job_id = submit_segment(
        settings, [first, same, other], CATEGORIES, overrides={"beta": 1, "superpixels": "none"}, dispatcher=outbox
    )
    first.unlink()

    items = _items(settings, job_id)
    copy = settings.artifacts_folder / items[0].input["image"]
    assert copy.read_bytes() == contents
    assert copy.name == f"{hashlib.sha256(contents).hexdigest()}.png"
    assert items[0].input["image"] == items[1].input["image"] != items[2].input["image"]
    assert [item.name for item in job_items(settings, job_id)] == ["a.PNG", "b.png", "c.png"]
    assert len(list(copy.parent.iterdir())) == 2
    assert outbox.sent == [(JobKind.SEGMENT, item.id) for item in items]
    job = job_summary(settings, job_id)
    assert job.parameters == {
        "bank": "default@1",
        "categories": [{"name": "cat"}, {"name": "other", "text": "background"}],
        "overrides": {"beta": 1, "superpixels": "none"},
    }


def test_files_that_are_no_images_are_refused_and_counted(
    settings: Settings, outbox: "Outbox", image_file: ImageFile, tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("not an image")
    with pytest.raises(InputError) as caught:
        submit_segment(settings, [image_file("a.png"), text, tmp_path / "gone.png"], CATEGORIES, dispatcher=outbox)
    assert str(caught.value).startswith(f"{text} is not an image in a known format")
    assert str(caught.value).endswith(" (and 1 more of 3 files)")
    assert list_jobs(settings) == []


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: folder, "is a folder"),
        (lambda folder: folder / "gone.png", "no such image file"),
    ],
)
def test_paths_that_are_no_files_are_refused(
    settings: Settings, outbox: "Outbox", tmp_path: Path, make: Callable[[Path], Path], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        submit_segment(settings, [make(tmp_path)], CATEGORIES, dispatcher=outbox)


def test_a_damaged_image_is_refused(settings: Settings, outbox: "Outbox", image_file: ImageFile) -> None:
    image = image_file("a.png")
    content = bytearray(image.read_bytes())
    content[-20] ^= 255
    image.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        submit_segment(settings, [image], CATEGORIES, dispatcher=outbox)


@pytest.mark.parametrize(
    ("categories", "overrides"),
    [([], {}), ([{"name": "cat"}, {"name": "cat"}], {}), (CATEGORIES, {"beta": 2}), (CATEGORIES, {"betta": 1})],
)
def test_unusable_requests_are_refused(
    settings: Settings,
    outbox: "Outbox",
    image_file: ImageFile,
    categories: list[dict[str, str | None]],
    overrides: dict[str, object],
) -> None:
    with pytest.raises(InputError):
        submit_segment(settings, [image_file("a.png")], categories, overrides=overrides, dispatcher=outbox)
    assert list_jobs(settings) == []


def test_a_home_that_cannot_be_written_is_reported_in_one_line(
    settings: Settings, tmp_path: Path, outbox: "Outbox", captions: Captions
) -> None:
    (tmp_path / "file").write_text("")
    elsewhere = load_settings(home=tmp_path / "file" / "home", pack=settings.pack, database_url="")
    with pytest.raises(FreedaError, match="cannot be written"):
        submit_ingest(elsewhere, captions(1), source="x", dispatcher=outbox)


def test_ids_follow_from_texts(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    made = make_caption(_items(settings, job_id)[0].input["captions"][0])
    assert made == captions(1)[0]


def _cut_off(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, after: bool) -> None:
    """Have the writing of a job end with an error, before or after the database has taken it."""
    write = acceptance.writing

    @contextmanager
    def cut_off(settings: Settings) -> Iterator[Any]:
        with write(settings) as session:
            yield session
            if not after:
                raise error
        raise error

    monkeypatch.setattr(acceptance, "writing", cut_off)


@pytest.mark.parametrize("error", [UnavailableError("the connection was lost"), KeyboardInterrupt()])
def test_what_was_cut_off_while_it_was_written_is_looked_up(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    acceptance.forget_jobs_of_this_process()
    with monkeypatch.context() as patch:
        _cut_off(patch, error, after=False)
        with pytest.raises(type(error)):
            submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    assert list_jobs(settings) == []
    assert acceptance.jobs_of_this_process() == {}
    _cut_off(monkeypatch, error, after=True)
    if isinstance(error, UnavailableError):
        job_id = submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    else:
        with pytest.raises(KeyboardInterrupt):
            submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
        [job_id] = acceptance.jobs_of_this_process()
    assert acceptance.jobs_of_this_process() == {job_id: True}
    assert [job.id for job in list_jobs(settings)] == [job_id]


def test_when_nobody_knows_whether_a_job_was_accepted_that_is_said(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    acceptance.forget_jobs_of_this_process()

    def away(_settings: Settings) -> Any:  # noqa: ANN401 - as it is
        raise UnavailableError("the database does not answer")

    _cut_off(monkeypatch, UnavailableError("the connection was lost"), after=True)
    monkeypatch.setattr(acceptance, "reading", away)
    with pytest.raises(
        UnavailableError, match=r"connection was lost; whether job (\w+) .* `freeda jobs show \1` shows it"
    ):
        submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    [(job_id, is_known)] = acceptance.jobs_of_this_process().items()
    assert not is_known
    assert [job.id for job in list_jobs(settings)] == [job_id]
