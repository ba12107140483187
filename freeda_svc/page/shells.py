"""The HTML of the pages: the same frame around each, with headings and forms; scripts fill in the rest."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent
STATIC_FOLDER = _FOLDER / "static"
STATIC_PATH = "/page"
"""Where the files of ``STATIC_FOLDER`` are served."""

PAGES: Mapping[str, str] = {"/": "segment"}
"""The name of the page at each path."""

_TITLES = {"segment": "Segment"}

SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of the pages: own files only, nothing inline, nothing from elsewhere, in nobody's frame."""


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
