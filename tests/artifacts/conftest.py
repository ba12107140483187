import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.artifacts.s3 import S3Artifacts
from tests.s3_server import ACCESS, BUCKET, S3Server


@pytest.fixture(scope="module")
def access() -> Iterator[None]:
    """The access key of the server, and no other settings of Amazon's tools."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FREEDA_"))]:
            patch.delenv(name)
        for name, value in ACCESS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def server(access: None) -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """A part of the bucket that no other test uses."""
    return f"s3://{BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture
def artifacts(server: S3Server, place: str, tmp_path: Path) -> S3Artifacts:
    return S3Artifacts(place, tmp_path / "copies", endpoint=server.endpoint)
