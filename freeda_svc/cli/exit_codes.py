"""How a command ends before its time: its exit code, and the one line that says why."""

import sys

import click

from freeda_svc.cli.terminal_text import printable

EXIT_FAILED, EXIT_USAGE, EXIT_PARTLY, EXIT_INTERRUPTED = 1, 2, 3, 130


class Interrupted(click.ClickException):
    """Ctrl-C; the message says what becomes of what was begun."""

    exit_code = EXIT_INTERRUPTED

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's interface
        """Print the message on a line of its own, below the ^C that a terminal shows."""
        if sys.stderr.isatty():
            click.echo(err=True)
        click.echo(self.format_message(), err=True)


def show_usage_error(error: click.UsageError) -> None:
    """Print what was wrong with options or arguments as one line that names the help to read."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    command = error.ctx.command_path if error.ctx is not None else "freeda"
    message = _misplaced(error) or printable(" ".join(error.format_message().split()))
    if not message.endswith((".", "?")):
        message += "."
    click.echo(f"Error: {message} See `{command} --help`.", err=True)


def _misplaced(error: click.UsageError) -> str:
    """Say that an option of ``freeda`` itself goes before the command; empty when the error is another one."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None or error.ctx.parent is None:
        return ""
    root = error.ctx.find_root()
    option = next((found for found in root.command.params if error.option_name in found.opts), None)
    if option is None:
        return ""
    value = "" if getattr(option, "is_flag", False) else f" {option.make_metavar(root)}"
    after = error.ctx.command_path.removeprefix(f"{root.info_name} ")
    return f"{error.option_name} goes before the command: {root.info_name} {error.option_name}{value} {after} ..."
