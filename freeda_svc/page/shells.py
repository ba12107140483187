"""The HTML of the pages: the same frame around each, with headings and forms; scripts fill in the rest."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent
STATIC_FOLDER = _FOLDER / "static"
STATIC_PATH = "/page"
"""Where the files of ``STATIC_FOLDER`` are served."""

PAGES: Mapping[str, str] = {"/": "segment", "/teach": "teach", "/bank": "bank", "/jobs": "jobs"}
"""The name of the page at each path."""

_TITLES = {"segment": "Segment", "teach": "Teach", "bank": "Bank", "jobs": "Jobs"}


@cache
def render_page(name: str) -> str:
    """Return the HTML of a page.

    Args:
        name: one of the values of ``PAGES``.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages = [(path, page, _TITLES[page]) for path, page in PAGES.items()]
    return environment.get_template(f"{name}.html").render(
        name=name, title=_TITLES[name], pages=pages, static=STATIC_PATH
    )
