"""Asking before something is removed."""

import sys

import click


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if a person agrees, or has agreed beforehand.

    Args:
        question: what to ask, without its question mark.
        yes: whether --yes was given.

    Raises:
        click.UsageError: nobody can be asked.
        click.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question}: give --yes to do it, there is no terminal to ask at.")
    click.confirm(f"{question}?", abort=True, err=True)
