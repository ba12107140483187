"""A real Label Studio beside freeda: a project whose predictions come from the backend, with painted pictures.

``make label-studio`` runs it until Ctrl-C; with ``--once`` it only checks what Label Studio has got. Label Studio lives
in a virtual environment of its own, in which pip installs it the first time. ``--record FILE`` writes the requests that
it sent to the backend, with what is secret in them replaced, for tests that do without it.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from freeda_svc.annotation_tools import read_label_config, read_marks
from freeda_svc.api import api_beside
from freeda_svc.jobs import JobState, follow_job, submit_exemplars
from freeda_svc.miniature import NOUNS, THINGS
from freeda_svc.miniature.scenes import EASY, Scene, paint_scene
from freeda_svc.prototypes import MarkedImage
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import CeleryDispatcher, background_stack
from tests.free_ports import free_port

VERSION = "1.23.2"
EMAIL, PASSWORD = "annotator@example.org", "sample-password"
PICTURES, TAUGHT = 4, 24
START_SECONDS = 600.0
LEAST_IOU = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(".venv-label-studio"))
    parser.add_argument("--once", action="store_true", help="check, and stop")
    parser.add_argument("--record", type=Path, help="where the requests to the backend are written")
    parser.add_argument("--screenshot", type=Path, help="where a picture of the editor goes; needs playwright")
    parser.add_argument("--folder", type=Path, help="where everything is kept, also afterwards; a temporary one if not")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = installed(given.venv)
    with contextlib.ExitStack() as stack:
        place = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(label_studio(program, place / "label-studio"))
        with LabelStudio(address, place / "token") as studio:
            say(f"Label Studio is at {address}; filling a bank")
            settings = load_settings(
                home=place / "home", api_port=free_port(), label_studio_url=address, label_studio_token=studio.token
            )
            prepare_home(settings)
            stack.enter_context(background_stack(settings))
            assert stack.enter_context(api_beside(settings)), "the API could not be started"
            backend = stack.enter_context(recorded(f"http://127.0.0.1:{settings.api_port}", given.record))
            scenes = [paint_scene((21, number), EASY) for number in range(PICTURES)]
            fill_bank(settings, place / "taught")
            say("making a project, and fetching its predictions")
            project = studio.project(scenes, f"{backend}/label-studio")
            check(studio, project, scenes)
            if given.screenshot:
                studio.screenshot(project, given.screenshot)
            task = studio.tasks(project)[0]
            studio.annotate(task["id"], task["predictions"][0]["result"])
            page = f"{address}/projects/{project}/data"
            print(f"{PICTURES} pictures have predictions: {page}", f"sign in as {EMAIL}, {PASSWORD}", sep="\n")
            if not given.once:
                print("Ctrl-C ends it")
                with contextlib.suppress(KeyboardInterrupt):
                    threading.Event().wait()
    return 0


def installed(folder: Path) -> Path:
    """Return Label Studio's program, installed in a virtual environment of its own."""
    program = folder / "bin" / "label-studio"
    if not program.exists():
        print(f"installing label-studio {VERSION} into {folder} (a few minutes the first time)", flush=True)
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"label-studio=={VERSION}"], check=True)
    return program.absolute()


@contextlib.contextmanager
def label_studio(program: Path, folder: Path) -> Iterator[str]:
    """Run Label Studio; gives its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    variables = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_USERNAME": EMAIL,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_HOST": f"http://127.0.0.1:{port}",
        "ML_BLOCK_LOCAL_IP": "false",  # the backend is on this machine
        "SSRF_PROTECTION_ENABLED": "false",  # so are webhooks to it
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    arguments = ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], env=os.environ | variables, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        say("starting Label Studio (minutes, while it makes its database)")
        wait_for(f"{address}/health", process)
        yield address
    finally:
        process.terminate()
        process.wait()


def say(text: str) -> None:
    print(text, flush=True)


class LabelStudio:
    """Label Studio's own API, asked with a session and a personal access token."""

    def __init__(self, address: str, kept: Path) -> None:
        self.address = address
        self._client = httpx.Client(base_url=address, timeout=120, trust_env=False)
        page = self._client.get("/user/login/").text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, "there is no form to sign in with"
        self._post("/user/login/", data={"csrfmiddlewaretoken": found[1], "email": EMAIL, "password": PASSWORD})
        if not kept.exists():
            kept.write_text(self._post("/api/token/").json()["token"])
        self.token = kept.read_text()
        """A personal access token, as a user makes one under *Account & Settings*."""

    def __enter__(self) -> "LabelStudio":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _post(self, path: str, **given: object) -> httpx.Response:
        headers = {"Referer": self.address, "X-CSRFToken": self._client.cookies.get("csrftoken", "")}
        answer = self._client.post(path, headers=headers, **given)  # type: ignore[arg-type]
        assert answer.status_code < 400, f"{path}: {answer.status_code} {answer.text[:2000]}"
        return answer

    def project(self, scenes: list[Scene], backend: str) -> int:
        """Make a project of pictures, connect the backend, and have predictions fetched."""
        made = self._post("/api/projects", json={"title": "Painted scenes", "label_config": configuration()}).json()
        files = [("file", (f"scene {number}.png", png(scene), "image/png")) for number, scene in enumerate(scenes)]
        for file in files:
            self._post(f"/api/projects/{made['id']}/import", files=[file])
        self._post(
            "/api/ml",
            json={"project": made["id"], "url": backend, "title": "freeda", "extra_params": {"background": "road"}},
        )
        action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={made['id']}"
        self._post(action, json={"selectedItems": {"all": True, "excluded": []}, "project": str(made["id"])})
        return int(made["id"])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """The tasks of a project with their predictions, as Label Studio keeps them."""
        found = self._client.get(f"/api/projects/{project}/tasks", params={"page_size": 100}).json()
        return [self._client.get(f"/api/tasks/{task['id']}").json() for task in found]

    def annotate(self, task: int, result: list[dict[str, Any]]) -> None:
        """Submit an annotation, of which Label Studio tells the backend's webhook."""
        self._post(f"/api/tasks/{task}/annotations", json={"result": result})

    def screenshot(self, project: int, path: Path) -> None:
        """Open the editor in a browser, and take a picture of it."""
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here

        cookies = [{"name": name, "value": value, "url": self.address} for name, value in self._client.cookies.items()]
        task = self.tasks(project)[0]["id"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies(cookies)
            page = context.new_page()
            page.goto(f"{self.address}/projects/{project}/data?task={task}", wait_until="load")
            page.wait_for_selector("canvas", timeout=120_000)
            page.wait_for_timeout(5000)
            page.screenshot(path=path)
            browser.close()


def configuration() -> str:
    """A configuration with several controls over the same words."""
    brush = "".join(f'<Label value="{noun}"/>' for noun in NOUNS)
    boxes = "".join(
        f'<Label value="{noun.title()} (box)" predicted_values="{noun}"/>' for noun in (thing.noun for thing in THINGS)
    )
    return f"""<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="brush" toName="image">{brush}</BrushLabels>
  <RectangleLabels name="box" toName="image">{boxes}</RectangleLabels>
</View>"""


def check(studio: LabelStudio, project: int, scenes: list[Scene]) -> None:
    """See that the predictions which Label Studio has are masks of the pictures."""
    [image] = read_label_config(configuration())
    scores = []
    tasks = studio.tasks(project)
    assert len(tasks) == len(scenes)
    for task in tasks:
        scene = scenes[int(re.findall(r"scene_([0-9]+)", task["data"]["image"])[-1])]
        [prediction] = task["predictions"]
        assert prediction["model_version"].startswith("freeda "), prediction["model_version"]
        assert prediction["result"], "nothing was predicted"
        for drawn in read_marks(prediction["result"], image):
            if drawn.category in NOUNS:
                truth = scene.labels == NOUNS.index(drawn.category)
                union = np.count_nonzero(drawn.mask | truth)
                scores.append(np.count_nonzero(drawn.mask & truth) / union)
    print(f"{len(scores)} masks, mean IoU {np.mean(scores):.2f}", flush=True)
    assert np.mean(scores) > LEAST_IOU


def fill_bank(settings: Settings, folder: Path) -> None:
    """Teach the nouns by painted pictures, which is faster than by captions."""
    wait_for(f"http://127.0.0.1:{settings.api_port}/health/ready")
    if folder.exists():  # by an earlier run
        return
    folder.mkdir()
    exemplars = []
    for number in range(TAUGHT):
        scene = paint_scene((11, number), EASY)
        path = folder / f"{number}.png"
        path.write_bytes(png(scene))
        exemplars += [MarkedImage(noun, path, scene.labels == NOUNS.index(noun), "") for noun in scene.nouns]
    job = submit_exemplars(settings, exemplars, source="painted scenes", dispatcher=CeleryDispatcher(settings))
    *_, ended = follow_job(settings, job, every_seconds=0.2)
    assert ended.state == JobState.DONE, ended.state


@contextlib.contextmanager
def recorded(target: str, file: Path | None) -> Iterator[str]:
    """Stand in front of the backend and write down what it is asked; gives the address to ask at."""
    if file is None:
        yield target
        return
    found: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            answer = httpx.request(
                self.command, target + self.path, headers=headers, content=body, timeout=200, trust_env=False
            )
            entry = {"method": self.command, "path": self.path, "body": json.loads(body) if body else None}
            found.append({**entry, "status": answer.status_code})
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", ""))
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _pass  # noqa: N815 - the name that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        file.write_text(json.dumps(without_secrets(found), indent=1) + "\n")


def without_secrets(value: object) -> object:
    """Replace what is secret or of one person in recorded requests."""
    replaced = {
        "access_token": "0" * 40,
        "token": "0" * 40,
        "email": EMAIL,
        "first_name": "",
        "last_name": "",
        "avatar": None,
    }
    if isinstance(value, dict):
        return {name: replaced.get(name, without_secrets(one)) for name, one in value.items()}
    return [without_secrets(one) for one in value] if isinstance(value, list) else value


def png(scene: Scene) -> bytes:
    file = BytesIO()
    Image.fromarray(scene.image).save(file, format="PNG")
    return file.getvalue()


def wait_for(url: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False, timeout=10).status_code == httpx.codes.OK:
                return
        assert process is None or process.poll() is None, f"{url}: the server has ended"
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
