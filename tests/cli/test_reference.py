"""docs/cli.md says what the commands say."""

import re

import click
import pytest

from freeda_svc.cli.main import freeda
from freeda_svc.cli.reference import PLACE, commands, reference

COMMANDS = {name: command for name, command in commands(freeda) if not isinstance(command, click.Group)}


def test_the_reference_is_up_to_date() -> None:
    assert PLACE.read_text(encoding="utf-8") == reference(), "run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_row_a_section_and_its_options(name: str) -> None:
    text = PLACE.read_text(encoding="utf-8")
    row = re.search(rf"^\| \[`{name}`\]\(#([\w-]+)\) \| .+\. \|$", text, re.MULTILINE)
    assert row is not None
    assert row[1] == name.replace(" ", "-")
    _, _, after = text.partition(f"\n### {name}\n")
    section = after.partition("\n### ")[0]
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[-1] in section


def test_the_reference_does_not_depend_on_where_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference()
    monkeypatch.setenv("FREEDA_HOME", "/elsewhere")
    monkeypatch.setenv("COLUMNS", "40")
    assert reference() == before
