#!/usr/bin/env bash
# s3fs says nothing when the server refuses to remove an object: rm() returns as if it had, rm_file() raises.
#
# Versions: s3fs and fsspec 2026.9.0, Python 3.11.
# Guess before running: rm() raises PermissionError for an object whose removal is denied, as put(), cat() and rm_file() do.
# Seen: rm(), of one path, too, removes with DeleteObjects. S3 answers that request with 200 and lists in its body which keys were not
#   removed, and why. s3fs reads only what was removed, and since it asks for a quiet answer, that is nothing: rm() returns an empty
#   list where all was removed and where nothing was. A policy without s3:DeleteObject, or an object that is held, goes unnoticed.
# Fails when rm() raises, or returns what tells the two apart, or rm_file() no longer raises.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check s3fs==2026.9.0 fsspec==2026.9.0

cat > seen.py <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from s3fs import S3FileSystem

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
STAYS = b"<DeleteResult><Error><Key>stays</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"


class Bucket(BaseHTTPRequestHandler):
    """Has the objects "goes" and "stays", and answers as the reference of DeleteObjects and DeleteObject says."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.answer(200, b"content")

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, STAYS if b"stays" in asked else b"<DeleteResult></DeleteResult>")

    def do_DELETE(self):
        self.answer(403 if self.path.endswith("stays") else 204, DENIED if self.path.endswith("stays") else b"")

    def log_message(self, *about):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
threading.Thread(target=server.serve_forever, daemon=True).start()
files = S3FileSystem(key="key", secret="secret", endpoint_url=f"http://127.0.0.1:{server.server_port}")
for name in ("goes", "stays"):
    for remove in (files.rm, files.rm_file):
        try:
            print(name, remove.__name__.lstrip("_"), remove(f"bucket/{name}"))
        except PermissionError as error:
            print(name, remove.__name__.lstrip("_"), type(error).__name__)
PYTHON
AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true venv/bin/python seen.py | tee seen
printf '%s\n' "goes rm []" "goes rm_file None" "stays rm []" "stays rm_file PermissionError" > expected
cmp seen expected
