"""``freeda completion``: scripts with which a shell completes commands."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_FREEDA_COMPLETE"
_INSTALLING = {
    "bash": """\
# Completion of freeda for bash 4.4 or later. For this shell: source <(freeda completion bash)
# For all: freeda completion bash > ~/.local/share/bash-completion/completions/freeda
#     (with the package bash-completion), or add the line above to ~/.bashrc""",
    "zsh": """\
# Completion of freeda for zsh. For this shell: source <(freeda completion zsh)
# For all: freeda completion zsh > "${fpath[1]}/_freeda", or add the line above to ~/.zshrc after compinit""",
    "fish": """\
# Completion of freeda for fish. For this shell: freeda completion fish | source
# For all: freeda completion fish > ~/.config/fish/completions/freeda.fish""",
}


@click.command()
@click.argument("shell", type=click.Choice(tuple(_INSTALLING)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands in your shell.

    Commands, options, ids of jobs, names of banks, packs and vocabularies are completed. The first lines of the script
    say how to install it.

    \b
    Examples:
      source <(freeda completion bash)
      freeda completion zsh > "${fpath[1]}/_freeda"
      freeda completion fish > ~/.config/fish/completions/freeda.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "freeda", VARIABLE).source()
    head, separator, rest = script.partition("\n") if shell == "zsh" else ("", "", script)  # zsh reads the first line
    click.echo(f"{head}{separator}{_INSTALLING[shell]}\n{rest}", nl=False)
