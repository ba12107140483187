"""The page in the browser: HTML shells that are rendered here, and the files they load.

Everything the page shows of jobs and banks it asks of the HTTP API; nothing of it is put into the HTML.
"""

from freeda_svc.page.shells import PAGES, STATIC_FOLDER, STATIC_PATH, render_page

__all__ = ["PAGES", "STATIC_FOLDER", "STATIC_PATH", "render_page"]
