import sqlite3

import pytest

from freeda_svc.captions import Caption, CaptionSpool, CaptionTally, make_caption
from freeda_svc.errors import UnavailableError


def captions(count: int) -> list[Caption]:
    made = [make_caption(f"a dog number {number}") for number in range(count)]
    return [caption for caption in made if caption is not None]


def test_captions_come_back_in_order_and_once() -> None:
    given = captions(2000)
    tally = CaptionTally()
    with CaptionSpool() as spool:
        spool.fill(given[:1500], tally)
        spool.fill(given[1000:], tally)
        assert len(spool) == 2000
        assert list(spool) == given
    assert tally == CaptionTally(repeated=500)


def test_extreme_ids_are_kept() -> None:
    given = [Caption("0" * 16, "first"), Caption("f" * 16, "last"), Caption("8" + "0" * 15, "middle")]
    with CaptionSpool() as spool:
        assert [spool.add(caption) for caption in (*given, *given)] == [True] * 3 + [False] * 3
        assert list(spool) == given


def test_a_full_disk_is_reported_in_one_line() -> None:
    full = pytest.raises(UnavailableError, match=r"^captions cannot be written .*: database or disk is full$")
    with CaptionSpool(most_pages=4) as spool, full:
        spool.fill(captions(2000))


def test_a_spool_is_closed_at_the_end_of_its_with_block() -> None:
    with CaptionSpool() as spool:
        pass
    with pytest.raises(sqlite3.ProgrammingError):
        list(spool)
