"""A model hub on this machine: the little of its protocol that a fetch needs."""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from freeda_svc.packs import read_pack_parameters, write_pack_manifest
from freeda_svc.parameters import Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories as folders, and what was asked for.

    ``gated`` names repositories that show what they hold, and give none of it. ``cut`` names files whose content ends
    too early, and after how many bytes; each is cut as often as it says.
    """

    repositories: dict[str, Path] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    cut: dict[str, list[int]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    commit: str = COMMIT
    address: str = ""

    def downloads(self) -> list[str]:
        return [path for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]

    def ranges(self) -> list[str]:
        return [asked for _, path, asked in self.asked if asked and "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/.+)?", self.path):
            self._tell(found[1])
        elif (found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/.+", self.path)) and found[1] in self.hub.gated:
            self._refuse("GatedRepo", 401)
        elif found := re.fullmatch(r"/elsewhere/([^/]+/[^/]+)/(.+)", self.path):
            self._give(found[1], found[2], body=body)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+safetensors)", self.path):
            self._send_elsewhere(found[1], found[2])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path):
            self._give(found[1], found[2], body=body)
        else:
            self._refuse("RepoNotFound")

    def _refuse(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _tell(self, repository: str) -> None:
        if repository not in self.hub.repositories:
            self._refuse("RepoNotFound")
            return
        content = json.dumps({"id": repository, "sha": self.hub.commit, "siblings": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_elsewhere(self, repository: str, path: str) -> None:
        """As the hub does with large files: their own numbers, and the address where they lie."""
        place = self.hub.repositories.get(repository, Path("/nowhere")) / path
        if not place.is_file():
            self._refuse("EntryNotFound")
            return
        self.send_response(302)
        other_host = self.hub.address.replace("127.0.0.1", "localhost")
        self.send_header("Location", f"{other_host}/elsewhere/{repository}/{path}")
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("X-Linked-Size", str(place.stat().st_size))
        self.send_header("X-Linked-ETag", f'"{hashlib.sha256(place.read_bytes()).hexdigest()}"')
        self.send_header("ETag", '"of the answer, not of the file"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _give(self, repository: str, path: str, *, body: bool) -> None:
        place = self.hub.repositories.get(repository, Path("/nowhere")) / path
        if not place.is_file():
            self._refuse("EntryNotFound")
            return
        content = place.read_bytes()
        checksum = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()  # git's name of what is small
        size = len(content)
        start = int(found[1]) if (found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        if path in self.hub.spoiled:
            content = b"x" * size
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{checksum}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        if body:
            cuts = self.hub.cut.get(path, [])
            end = cuts.pop(0) if cuts else size
            self.wfile.write(content[start:end])
            self.close_connection = True


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub without repositories; everything that fetches in this test asks it."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = False  # so that closing the server waits for them
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("freeda_svc.packs.hub.PAUSES_SECONDS", (0.0, 0.0))
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def recipe_file(hub: Hub, tiny_pack_folder: Path, tmp_path: Path) -> Path:
    """A person's own recipe of the tiny models, which lie on the hub in three repositories."""
    manifest = (tiny_pack_folder / "pack.toml").read_text(encoding="utf-8")
    numbers = manifest[manifest.index("[parameters]") : manifest.index("[sources.generator]")]
    lines = ['name = "own"', 'version = "1"', 'description = "One of my own"', "", numbers]
    for part in ("generator", "backbone", "image_text"):
        hub.repositories[f"someone/{part}"] = tiny_pack_folder / part
        files = sorted(path for path in (tiny_pack_folder / part).rglob("*") if path.is_file())
        listed = [path.relative_to(tiny_pack_folder / part).as_posix() for path in files]
        lines += [
            f"[sources.{part}]",
            f'description = "tiny {part}"',
            'licence = "Apache-2.0"',
            f'repository = "someone/{part}"',
            f"files = {json.dumps(listed)}",
        ]
    path = tmp_path / "own.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def pack_folder(tiny_pack_folder: Path, tmp_path: Path) -> Path:
    """A pack that a test may change or spoil; ``sign`` afterwards."""
    return Path(shutil.copytree(tiny_pack_folder, tmp_path / "pack"))


@pytest.fixture
def sign(tiny_pack_folder: Path, pack_folder: Path) -> Callable[..., None]:
    """Write the manifest of the changed pack, with another source of the image-text model or other sizes if given."""

    def write(image_text: Source | None = None, **sizes: int) -> None:
        had = read_pack_parameters(str(tiny_pack_folder))
        sources = {**had.sources, "image_text": image_text or had.sources["image_text"]}
        words = {"name": "tiny", "version": "1", "description": "x", "parameters": had.parameters.replace(**sizes)}
        write_pack_manifest(pack_folder, sources=sources, **words)

    return write
