"""Keeping paths and addresses of the server out of answers: of a path only the file's name is shown."""

import re
from pathlib import PurePath
from urllib.parse import urlsplit

from freeda_svc.addresses import shown_address
from freeda_svc.api.advice import words_for_http
from freeda_svc.settings import Settings

_PATH = re.compile(r"(?<![\w./~-])/(?!/)(?:[^/\s'\",;:()<>`]+/)*([^/\s'\",;:()<>`]+)/?")
_WORKER = re.compile(r"([\w.-]+)@[\w.-]+:/\S*")
"""As the database knows a worker: its name, its machine and its home; only the name is shown."""
_BANK = r"([a-z0-9][a-z0-9_-]*)/([1-9]\d*)(?![\w/-])"
"""The end of an embedded bank's folder, which is called as people call the bank."""
_HOST = "its host"
_IP_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])")


def file_names(text: str) -> str:
    """Return a text in which only the last part is left of each absolute path.

    >>> file_names("/data/a.txt, /data/b.txt")
    'a.txt, b.txt'
    >>> file_names("see http://host/path; km/h; 1 / 2")
    'see http://host/path; km/h; 1 / 2'
    """
    return _PATH.sub(lambda found: found[1], text)


def source_name(source: str) -> str:
    """Return where a job's input came from, as it may be shown to whoever asks over the network.

    >>> source_name("/home/me/my photos")
    'my photos'
    """
    is_one_path = source.startswith("/") and not re.search(r", /| and /| to ", source)
    return PurePath(source).name if is_one_path else file_names(source)


def without_server(text: str, settings: Settings) -> str:
    """Return a sentence without paths of the server and addresses of what it uses.

    Args:
        text: of an error, or of a job's event.
        settings: the installation, whose folders and addresses are hidden also where their names have spaces.
    """
    own_worker = rf"([\w.-]+)@[\w.-]+:{re.escape(str(settings.home))}(?![\w.-])"
    text = _WORKER.sub(r"\1", re.sub(own_worker, r"\1", text))
    text = re.sub(rf"{re.escape(str(settings.banks_folder))}/{_BANK}", r"\1@\2", text)
    folders = {"artifacts": settings.artifacts_folder, "packs": settings.packs_folder, "home": settings.home}
    for name, folder in folders.items():
        text = text.replace(f"{folder}/", "/")
        text = re.sub(rf"{re.escape(str(folder))}(?![\w.-])", f"the server's {name}", text)
    if settings.artifacts_on_s3:
        text = re.sub(rf"{re.escape(settings.artifacts)}(?![\w-])(?:/[\w./-]*\w)?", "the server's storage", text)
    for address in (settings.broker_url, settings.database_url, settings.qdrant_url, settings.s3_endpoint):
        if address:
            text = text.replace(f" {shown_address(address)}", "")
            host = urlsplit(address).hostname
            text = re.sub(rf"(?<![\w.]){re.escape(host)}(?::\d+)?(?![\w.])", _HOST, text) if host else text
    return file_names(text)


def client_text(text: str, settings: Settings) -> str:
    """Return a text that is kept, such as an item's error, as clients see it: nothing of the server, and no commands.

    Args:
        text: see ``without_server``.
        settings: see ``without_server``.
    """
    return words_for_http(without_server(text, settings))


def without_ip_addresses(text: str) -> str:
    """Return a sentence about a part that does not answer, without the numbers of hosts that libraries name in it."""
    return _IP_ADDRESS.sub(_HOST, text)
