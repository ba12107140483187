"""The reference of the command line, docs/cli.md, written from the commands themselves.

Run ``python -m freeda_svc.cli.reference`` after changing a command; ``--check`` only says whether that was done.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from freeda_svc.cli.main import freeda
from freeda_svc.cli.segment_parameters import FLAGS
from freeda_svc.parameters import PLACES, SegmentationOverrides, SegmentationParameters, expectation, field_schema
from freeda_svc.whole_files import write_whole

PLACE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
_HEAD = """\
# The command line

Written from the commands by `make docs`; do not edit. `freeda COMMAND --help` says the same.

Settings come from options, else from the environment (`FREEDA_PACK`, ...), else from `freeda.toml` in the home, else
they are defaults: `freeda config` shows where each came from, `freeda init` writes a file that explains them all.

What a command was asked for goes to standard output, everything else to standard error. With `--json`, standard output
is one JSON document. Progress is a bar on a terminal, and a line now and then elsewhere.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed; one line on standard error says what was wrong and what to do |
| 2 | wrong usage: an option or argument |
| 3 | partly failed: some items of a job failed, the others are done |
| 130 | interrupted with Ctrl-C; jobs that were accepted go on |
"""

_PARAMETERS = """\
## Parameters of a segmentation

`freeda segment --set NAME=VALUE` takes each of them, and some have options of their own. Every pack states a value
where the default is *the pack's*; a pack may also state another value in the place of a default.

| parameter | value | default | option | meaning |
|---|---|---|---|---|
"""


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Give a command and all below it, each with how it is called, in the order of their listings."""
    called = f"{path} {command.name}".strip()
    yield called, command
    if isinstance(command, click.Group):
        with click.Context(command, info_name=command.name) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from commands(below, called)


def reference() -> str:
    """Return the whole of docs/cli.md."""
    found = list(commands(freeda))
    rows = [
        f"| [`{called}`](#{_anchor(called)}) | {_cell(summary_of(command))} |"
        for called, command in found
        if not isinstance(command, click.Group)
    ]
    table = "\n".join(["| command | what it does |", "|---|---|", *rows])
    sections = (_section(called, command) for called, command in found)
    return "\n".join([_HEAD, table, "", *sections, _PARAMETERS + "\n".join(_parameter(name) for name in PLACES), ""])


def _parameter(name: str) -> str:
    """Write the row of a parameter: what it may be, its default, its option, and its meaning."""
    schema = field_schema(SegmentationOverrides, name)
    option = f"`{FLAGS[name]}`" if name in FLAGS else ""
    return f"| `{name}` | {_cell(expectation(schema))} | {_default(name)} | {option} | {_cell(schema['description'])} |"


def _default(name: str) -> str:
    """Write the default that a parameter has where a pack states none."""
    schema = field_schema(SegmentationParameters, *PLACES[name])
    if "default" not in schema:
        return "the pack's"
    value = schema["default"]
    if value in ("", []):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def summary_of(command: click.Command) -> str:
    """Return the first sentence of a command's help, whole."""
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _section(called: str, command: click.Command) -> str:
    with click.Context(command, info_name=called, max_content_width=10_000, terminal_width=10_000) as context:
        usage = " ".join([called, *command.collect_usage_pieces(context)])
        options = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    lines = [f"{'##' if called == freeda.name else '###'} {called}", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines += [*_paragraph(paragraph), ""]
    lines += ["```", usage, "```", ""]
    if options:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in options]
        lines += [""]
    return "\n".join(lines)


def _paragraph(text: str) -> list[str]:
    """Write a paragraph; one whose lines are to stay as they are becomes a block, below its first line."""
    if not text.startswith("\b"):
        return [" ".join(text.split())]
    title, *rest = text.removeprefix("\b").lstrip("\n").splitlines()
    block = inspect.cleandoc("\n".join(["", *rest])).splitlines()
    return [title, "", "```", *block, "```"] if block else [title]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _anchor(heading: str) -> str:
    """What GitHub makes of a heading for links to it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@click.command()
@click.option("--check", is_flag=True, help="Only say whether docs/cli.md is up to date; exit code 1 when it is not.")
def main(*, check: bool) -> None:
    """Write docs/cli.md from the commands."""
    text = reference()
    if not check:
        write_whole(PLACE, text.encode("utf-8"))
        click.echo(f"{PLACE} is written")
    elif not PLACE.is_file() or PLACE.read_text(encoding="utf-8") != text:
        click.echo("docs/cli.md is not what the commands say: run `make docs`", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
