import os
import time
from pathlib import Path

import pytest

from freeda_svc.cli.backends.request_names import FRESH_SECONDS, LEFT, RequestNames, name_of_part
from freeda_svc.errors import InputError, UnavailableError

ASKED = ("http://127.0.0.1:1", "segment", {"categories": ["sky"]}, [["a.png", "00ff"]])


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "home" / "submissions"


def name_of_cut_off(notes: Path, *asked: object) -> str:
    """The name under which a command asks that does not hear whether it was accepted."""
    names = RequestNames(notes)
    with pytest.raises(UnavailableError), names.name("", *asked) as name:
        raise UnavailableError("the server broke off")
    names.close()
    return name


def name_of_answered(notes: Path, *asked: object) -> str:
    names = RequestNames(notes)
    with names.name("", *asked) as name:
        pass
    names.close()
    return name


def test_a_request_without_an_answer_keeps_its_name(notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = name_of_cut_off(notes, *ASKED)
    assert not capsys.readouterr().err
    assert name_of_cut_off(notes, *ASKED) == first
    assert capsys.readouterr().err == f"{LEFT}\n"
    assert name_of_answered(notes, *ASKED) == first
    assert not list(notes.iterdir())
    assert name_of_answered(notes, *ASKED) != first


def test_another_request_has_another_name(notes: Path) -> None:
    first = name_of_cut_off(notes, *ASKED)
    assert name_of_cut_off(notes, *ASKED[:3], [["a.png", "00fe"]]) != first
    assert name_of_cut_off(notes, "http://127.0.0.1:2", *ASKED[1:]) != first


def test_a_refused_request_is_forgotten(notes: Path) -> None:
    names = RequestNames(notes)
    with pytest.raises(InputError), names.name("", *ASKED) as first:
        raise InputError("k is 0")
    names.close()
    assert name_of_answered(notes, *ASKED) != first


def test_two_commands_at_once_share_no_name(notes: Path) -> None:
    names = RequestNames(notes)
    with names.name("", *ASKED) as first:
        assert name_of_answered(notes, *ASKED) != first
    assert name_of_answered(notes, *ASKED) != first  # it has not ended
    names.close()


def test_an_old_note_is_of_no_use(notes: Path) -> None:
    first = name_of_cut_off(notes, *ASKED)
    [note] = notes.iterdir()
    os.utime(note, (time.time() - FRESH_SECONDS - 60,) * 2)
    assert name_of_cut_off(notes, *ASKED) != first


def test_a_note_that_was_cut_off_is_none(notes: Path) -> None:
    name_of_cut_off(notes, *ASKED)
    [note] = notes.iterdir()
    note.write_bytes(b"")
    assert name_of_answered(notes, *ASKED).startswith("client ")


def test_without_a_place_for_notes_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert name_of_answered(tmp_path / "home" / "submissions", *ASKED).startswith("client ")


def test_a_persons_own_name_is_taken(notes: Path) -> None:
    with RequestNames(notes).name("May", *ASKED) as name:
        assert name == "May"
    assert not notes.exists()
    assert name_of_part("May", 0) == "May"
    assert len({name_of_part("May", number) for number in range(3)} | {name_of_part("June", 1)}) == 4
    assert name_of_part("", 3) == ""
