"""Every command explains itself."""

from collections.abc import Iterator

import click
import pytest

from freeda_svc.cli.main import freeda

LISTINGS = ("captions nouns", "jobs list", "jobs show", "bank stats", "bank nouns", "bank search")
OUTCOMES = ("demo", "ingest", "segment", "bank add-exemplars")


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            assert (command.help or "").strip(), f"{name} does not say what its commands are for"
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(_commands(freeda))


def test_all_commands_are_found() -> None:
    assert {*LISTINGS, *OUTCOMES, "up", "worker", "jobs cancel", "jobs retry", "db upgrade"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_gives_an_example(name: str) -> None:
    command = COMMANDS[name]
    text = command.help or ""
    assert not command.get_short_help_str(limit=68).endswith("..."), "its first sentence is cut off in listings"
    assert "Example" in text
    example = text[text.index("Example") :]
    assert "freeda " in example
    assert f" {name.rpartition(' ')[2]}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [parameter for parameter in COMMANDS[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", [*LISTINGS, *OUTCOMES])
def test_what_a_program_may_read_is_also_json(name: str) -> None:
    assert "--json" in [switch for parameter in COMMANDS[name].params for switch in parameter.opts]


def test_an_example_begins_with_options_that_exist() -> None:
    for name, command in COMMANDS.items():
        known = {switch for parameter in (*command.params, *freeda.params) for switch in parameter.opts}
        example = (command.help or "").partition("Example")[2]
        assert {word for word in example.split() if word.startswith("-") and word != "-"} <= known, name
