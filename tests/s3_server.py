"""An S3-compatible server in a process of its own, which can be made slow, cut off within an upload, and killed.

Run as a module it serves until it is ended: ``python -m tests.s3_server PORT BEHAVIOUR``, where BEHAVIOUR is JSON.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

from tests.free_ports import free_port

BUCKET = "artifacts-of-tests"
ACCESS = {
    "AWS_ACCESS_KEY_ID": "key-of-tests",
    "AWS_SECRET_ACCESS_KEY": "secret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
START_SECONDS = 120.0


@dataclass(frozen=True)
class Behaviour:
    """What a server does.

    Attributes:
        slow_seconds: it waits so long before each answer.
        dies_at: it is killed within the upload of the first object whose name has this in it; empty means never.
        after: so many such uploads are let through before.
        refuses: uploads of objects whose names have this in them are denied; empty means none.
    """

    slow_seconds: float = 0.0
    dies_at: str = ""
    after: int = 0
    refuses: str = ""


class S3Server:
    """A server on 127.0.0.1, which forgets its objects when it ends."""

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, behaviour: Behaviour = Behaviour(), objects: Mapping[str, bytes] | None = None) -> None:
        """Start it, with a bucket and perhaps some objects in it; it does not answer before it has them."""
        assert self._process is None
        command = [sys.executable, "-m", "tests.s3_server", str(self.port), json.dumps(asdict(behaviour))]
        with tempfile.TemporaryFile() as kept:
            pickle.dump(dict(objects or {}), kept)
            kept.seek(0)
            self._process = subprocess.Popen(
                command, cwd=Path(__file__).parents[1], stdin=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "the server does not start"
            assert self._process.poll() is None
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wait_for_its_end(self, seconds: float = 120.0) -> None:
        """Wait until it has died as it was told to."""
        assert self._process is not None
        self._process.wait(seconds)
        self._process = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let it take connections and say nothing as long as the block lasts."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def objects(self) -> dict[str, bytes]:
        """All objects by their keys."""
        with client(self) as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
            return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=5):
                return True
        except (URLError, OSError):
            return False


@contextmanager
def client(server: S3Server) -> Iterator[Any]:
    """A client that nobody here wrote, to see what others see."""
    import boto3  # noqa: PLC0415

    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        yield s3
    finally:
        s3.close()


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _behaving(application: Application, behaviour: Behaviour) -> Application:
    uploads = 0

    def answer(environ: dict[str, Any], begin: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal uploads
        time.sleep(behaviour.slow_seconds)
        uploaded = environ["PATH_INFO"] if environ["REQUEST_METHOD"] == "PUT" else ""
        if behaviour.refuses and behaviour.refuses in uploaded:
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            begin("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        if behaviour.dies_at and behaviour.dies_at in uploaded:
            uploads += 1
            if uploads > behaviour.after:
                environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]) // 2)
                os._exit(137)
        return application(environ, begin)

    return answer


def _fill(application: Application, port: int, objects: Mapping[str, bytes]) -> None:
    from werkzeug.test import Client  # noqa: PLC0415

    name = f"{ACCESS['AWS_ACCESS_KEY_ID']}/20260101/{ACCESS['AWS_DEFAULT_REGION']}/s3/aws4_request"  # tells the service
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={name}, SignedHeaders=host, Signature=0"}
    inside = Client(application)
    for key, content in [("", b""), *((f"/{key}", content) for key, content in objects.items())]:
        answer = inside.put(
            f"/{BUCKET}{quote(key)}", base_url=f"http://127.0.0.1:{port}", data=content, headers=headers
        )
        assert answer.status_code == 200, answer.data


def main(port: int, behaviour: Behaviour, objects: Mapping[str, bytes]) -> None:
    """Serve until the process is ended."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    application = DomainDispatcherApplication(create_backend_app)
    _fill(application, port, objects)
    make_server("127.0.0.1", port, _behaving(application, behaviour), threaded=True).serve_forever()


def is_result(key: str) -> bool:
    """Whether an object belongs to a result of an image."""
    return re.search(r"(^|/)results/[^/]+/\d+/", key) is not None


if __name__ == "__main__":
    main(int(sys.argv[1]), Behaviour(**json.loads(sys.argv[2])), pickle.load(sys.stdin.buffer))
