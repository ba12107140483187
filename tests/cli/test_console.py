"""Plain progress lines and tables, as they look where there is no terminal."""

import pytest

from freeda_svc.cli.console import print_json, print_table, track


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


def test_json_keeps_other_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"noun": "été"})
    assert capsys.readouterr().out == '{\n  "noun": "été"\n}\n'
