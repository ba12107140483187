"""The page in the browser: its HTML, and the files it loads."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from freeda_svc.page import PAGES, STATIC_FOLDER, STATIC_PATH, render_page

_HEADERS = {"Cache-Control": "no-cache"}
"""The guards add those for security, such as a policy that admits own files only, and nothing inline."""

router = APIRouter(tags=["page"], include_in_schema=False)


def _shell(name: str) -> Callable[[], HTMLResponse]:
    def shell() -> HTMLResponse:
        return HTMLResponse(render_page(name), headers=_HEADERS)

    return shell


for path, name in PAGES.items():
    router.add_api_route(path, _shell(name), methods=["GET"], name=f"page_{name}", response_class=HTMLResponse)


class _Files(StaticFiles):
    """Files that browsers ask for again each time, by their ETag: those of a newer release are used at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


def serve_files(application: FastAPI) -> None:
    """Let an application serve the files that the pages load."""
    application.mount(STATIC_PATH, _Files(directory=STATIC_FOLDER), name="page files")
