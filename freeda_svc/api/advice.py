"""What the command line advises, in words for whoever reads an error over HTTP: no commands, and no options.

Errors are raised by code that serves both, and those of items are stored as text; so it is the text that is changed.
"""

import re

_RUNS_IT = "whoever runs this server has to"
_RULES = tuple(
    (re.compile(command), words)
    for command, words in (
        (r"`freeda jobs list` shows them", "the list of jobs shows them"),
        (r"`freeda jobs show \w+` shows it", "the list of jobs shows it"),
        (r"`freeda jobs errors \w+` shows why", "its errors say why"),
        (r"; `freeda jobs (?:watch \w+` follows it|show \w+` shows how far it is)", ""),
        (r", see `freeda jobs list`", ""),
        (r"end it with `freeda jobs cancel \w+`", "cancel it"),
        (r"`freeda keys create` makes one", "whoever runs this server makes them"),
        (r"run `freeda db upgrade`", f"{_RUNS_IT} upgrade it"),
        (r"`freeda up` or `freeda worker` runs one", f"{_RUNS_IT} start one"),
        (r"start one with `freeda up`", f"{_RUNS_IT} start one"),
        (r" \(Ctrl-C, where it is `freeda up`\)", ""),
        (
            r"run `freeda ingest FILE` first(?:, with --bank NAME@VERSION where .* current|, or give another folder)?",
            "add captions or exemplars to it first",
        ),
        (r"run: freeda packs fetch \S+", f"{_RUNS_IT} fetch it"),
        (r"make it with `freeda bank create [^`]+`", "make it first"),
        (r"such as with `freeda bank switch ([^`]+)`", r"such as \1"),
        (r"`freeda bank list` shows it", "the list of banks shows it"),
        (r"`freeda bank stats` shows it", "the numbers of the bank show it"),
        (r"the folder that `freeda bank export` made", "the folder of a bank that was exported"),
        (r" \(`freeda bank (?:export|import) [^`]+`\)", ""),
        (r"`freeda bank curate`", "curation"),
        (r": see `freeda doctor`", ""),
    )
)
_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")


def words_for_http(text: str) -> str:
    """Return a sentence without commands; options are called as the fields of a request are.

    >>> words_for_http("there is no job 'zzz'; `freeda jobs list` shows them")
    "there is no job 'zzz'; the list of jobs shows them"
    >>> words_for_http("no evidence is kept; segment the image again with --explain")
    'no evidence is kept; segment the image again with explain'
    """
    if "freeda " in text:
        for command, words in _RULES:
            text = command.sub(words, text)
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), text)
