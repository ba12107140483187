"""Every command explains itself, and all keep the same conventions."""

import inspect
import subprocess
import sys

import click
import pytest

from freeda_svc.cli import bank, jobs, main
from freeda_svc.cli.main import freeda
from freeda_svc.cli.reference import commands

FOREGROUND = {"freeda up", "freeda worker", "freeda serve"}
"""They run until they are stopped, and tell what happens in their log."""
SCRIPTS = {"freeda completion"}

EVERYTHING = dict(commands(freeda))
ENTRIES = {
    f"{group} {name}": entry
    for group, module in (("freeda", main), ("freeda jobs", jobs), ("freeda bank", bank))
    for name, entry in module.COMMANDS.items()
}
GROUPS = {name: command for name, command in EVERYTHING.items() if isinstance(command, click.Group)}
COMMANDS = {name: command for name, command in EVERYTHING.items() if name not in GROUPS}


def _switches(command: click.Command) -> set[str]:
    switches = (switch for parameter in command.params for switch in (*parameter.opts, *parameter.secondary_opts))
    return {switch for switch in switches if switch.startswith("-")}


def test_all_commands_are_found() -> None:
    jobs = {f"freeda jobs {name}" for name in ("list", "show", "watch", "cancel", "retry", "errors", "prune", "export")}
    others = {"init", "config", "doctor", "up", "worker", "ingest", "segment", "queue", "top", "db upgrade", "db check"}
    assert {*jobs, *(f"freeda {name}" for name in others)} <= set(COMMANDS)


@pytest.mark.parametrize("name", ENTRIES)
def test_listings_say_what_the_command_says(name: str) -> None:
    assert ENTRIES[name].summary == EVERYTHING[name].get_short_help_str(limit=1000)
    assert EVERYTHING[name].name == name.rpartition(" ")[2]


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_says_what_it_is_for(name: str) -> None:
    text = (EVERYTHING[name].help or "").strip()
    assert text, f"{name} has no help"
    assert EVERYTHING[name].get_short_help_str(limit=1000).endswith(".")
    if " " in name.removeprefix("freeda "):
        assert not EVERYTHING[name].get_short_help_str(limit=68).endswith("..."), "its first sentence is cut off"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gives_an_example(name: str) -> None:
    text = inspect.cleandoc(COMMANDS[name].help or "")
    assert "\b\nExample" in text
    example = text[text.index("Example") :]
    assert "freeda " in example
    assert f" {name.rpartition(' ')[2]}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [parameter for parameter in COMMANDS[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - FOREGROUND - SCRIPTS))
def test_what_a_program_may_read_is_also_json(name: str) -> None:
    assert "--json" in _switches(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_waits_can_be_quiet(name: str) -> None:
    switches = _switches(COMMANDS[name])
    assert "--wait" not in switches or "--quiet" in switches


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_of_several_commands_means_the_same(name: str) -> None:
    meant = {"--json": "as_json", "--quiet": "quiet", "--wait": "wait", "--yes": "yes", "--dry-run": "dry_run"}
    for parameter in COMMANDS[name].params:
        for switch in parameter.opts:
            assert meant.get(switch, parameter.name) == parameter.name


def test_an_example_has_options_that_exist() -> None:
    for name, command in COMMANDS.items():
        known = _switches(command) | _switches(freeda)
        lines = (command.help or "").partition("Example")[2].splitlines()
        for line in lines:
            for part in line.split(" && "):
                if f"{name} " in f"{part} ":
                    assert {word for word in part.split() if word.startswith("-") and word != "-"} <= known, part


@pytest.mark.parametrize(("typed", "meant"), [("jbos", "jobs"), ("doktor", "doctor")])
def test_a_command_that_looks_like_another_is_answered_with_it(typed: str, meant: str) -> None:
    with pytest.raises(click.UsageError, match=f"Did you mean '{meant}'"):
        freeda.main([typed], standalone_mode=False)


@pytest.mark.parametrize("module", ["bank", "ingest", "jobs", "queue", "segment"])
def test_libraries_of_images_are_left_to_what_needs_them(module: str) -> None:
    code = f"import sys, freeda_svc.cli.{module}; print({{'PIL', 'skimage', 'scipy', 'torch'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
