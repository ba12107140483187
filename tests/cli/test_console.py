"""Plain progress lines and tables, as they look where there is no terminal."""

from io import StringIO

import pytest
from rich.console import Console

from freeda_svc.cli import console
from freeda_svc.cli.console import Pace, make_table, print_json, print_table, track


def test_progress_is_plain_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    track("segment", iter([(0, 3), (1, 3), (3, 3)]))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "segment: 0 of 3"
    assert lines[-1] == "segment: 3 of 3"
    assert len(lines) == 2


def test_tables_go_to_standard_output_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["noun", "prototypes"], [["[red] ball", 12], ["sky", None]])
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["noun", "prototypes"]
    assert out[1].split() == ["[red]", "ball", "12"]
    assert out[2].split() == ["sky"]


def test_names_in_a_table_move_no_cursor_and_stay_on_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["image"], [["\x1b[31mred.png"], ["new\nline.png"], ["tab\t.png"], ["日本 e\u0301\u00a0.png"]])
    shown = ["\\x1b[31mred.png", "new\\nline.png", "tab\\t.png", "日本 e\u0301\u00a0.png"]
    assert capsys.readouterr().out.splitlines() == ["image", *shown]


def test_ids_stay_whole_on_a_narrow_terminal() -> None:
    columns = ("job", "kind", "priority", "state", "done", "failed", "items", "left", "submitted (UTC)", "source")
    row = ("83b2765d8362", "exemplars", "normal", "running", 1, 0, 3, "9 s", "2026-12-01 03:01:49", "a/long/" * 9)
    shown = StringIO()
    Console(file=shown, width=80).print(make_table(columns, [row]))
    assert "83b2765d8362 " in shown.getvalue()
    assert max(map(len, shown.getvalue().splitlines())) <= 80


def test_json_keeps_other_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"noun": "été"})
    assert capsys.readouterr().out == '{\n  "noun": "été"\n}\n'


def test_how_fast_it_goes_and_how_long_it_will_take() -> None:
    moments = iter([0.0, 10.0, 10.0, 30.0, 70.0, 130.0])
    pace = Pace(lambda: next(moments))
    assert pace.text(4, 16) == ""  # 4 were done before anybody looked
    assert pace.text(8, 16) == ", 12.0/min, 40 s left"
    assert pace.text(124, 1000) == ", 2.0/s, 7 min 18 s left"
    assert pace.text(16, 16) == ", 6.0/min"


def test_a_unit_is_shown_and_long_silence_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "SILENT_SECONDS", 0.0)
    track("ingest", iter([(0, 16), (0, 16), (16, 16)]), unit="captions")
    assert capsys.readouterr().err.splitlines() == [
        "ingest: 0 of 16 captions", "ingest: 0 of 16 captions after 0 s", "ingest: 16 of 16 captions",
    ]  # fmt: skip
    track("captions", iter([(2, 2)]), unit="captions")
    assert capsys.readouterr().err == "captions: 2 of 2\n"
