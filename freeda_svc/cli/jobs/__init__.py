"""``freeda jobs``: what was asked for and how far it is."""

import click

from freeda_svc.cli.command_groups import Entry, ListedGroup

COMMANDS: dict[str, Entry] = {
    "cancel": Entry("jobs.changing:cancel", "Cancel what jobs have not begun; what is done stays."),
    "errors": Entry("jobs.looking:errors", "Show why items of a job failed."),
    "export": Entry("jobs.ending:export", "Write the results of a segmentation job to a folder."),
    "list": Entry("jobs.looking:list_command", "List jobs, the newest first."),
    "prune": Entry("jobs.changing:prune", "Remove jobs with their results: old ones, or those that are named."),
    "retry": Entry("jobs.changing:retry", "Try a job's failed items again."),
    "show": Entry("jobs.looking:show", "Show a job, its outcome and its items."),
    "watch": Entry("jobs.ending:watch", "Follow a job to its end."),
}


@click.group(cls=ListedGroup, entries=COMMANDS)
def jobs() -> None:
    """List, watch, cancel and retry jobs; fetch their results.

    A job is named by its id or by the beginning of it.
    """
