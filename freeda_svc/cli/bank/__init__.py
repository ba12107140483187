"""``freeda bank``: the banks of prototypes."""

import click

from freeda_svc.cli.command_groups import Entry, ListedGroup

COMMANDS: dict[str, Entry] = {
    "add-exemplars": Entry("bank.exemplars:add_exemplars", "Teach the bank a noun by your own images and masks."),
    "create": Entry("bank.versions:create", "Make an empty bank, or an empty version of one."),
    "curate": Entry("bank.curation:curate", "Mark the prototypes of each noun that differ most from the others."),
    "drop": Entry("bank.versions:drop", "Remove a version of a bank with all its prototypes."),
    "export": Entry("bank.moves:export", "Write a bank into an archive, a folder of Parquet files."),
    "forget": Entry("bank.changes:forget", "Remove prototypes for good, after showing how many."),
    "import": Entry("bank.moves:import_command", "Add an archive's prototypes to a bank, or those of a published one."),
    "index": Entry("bank.versions:index", "Pack a bank for searching, after it has changed much."),
    "list": Entry("bank.versions:list_command", "List all banks with their versions."),
    "nouns": Entry("bank.contents:nouns", "List nouns, those with most prototypes first."),
    "search": Entry("bank.contents:search", "Show the keys nearest to a text."),
    "show": Entry("bank.pictures:show", "Show a bank's versions, or a prototype with its picture and mask."),
    "stats": Entry("bank.contents:stats", "Count prototypes, nouns, captions and jobs; show size and pack."),
    "switch": Entry("bank.versions:switch", "Make a version of a bank the current one, at once for everybody."),
}


@click.group(cls=ListedGroup, entries=COMMANDS)
def bank() -> None:
    """Inspect and change banks of prototypes, also while a worker uses them.

    A bank is named as NAME, its current version, or NAME@VERSION. Without --bank the one of FREEDA_BANK is meant,
    which is "default".
    """
