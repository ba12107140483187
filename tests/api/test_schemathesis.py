"""The running server against its own description, asked by schemathesis: every status, schema, type and bad value."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from freeda_svc.jobs import Scope, create_key
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service, running_service

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
MOST_SECONDS = 120
"""So long each run asks at most: on a busy machine it asks less."""

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, for it changes and drops whatever is there, and one that needs keys."""
    with running_service(tmp_path_factory.mktemp("asked") / "home", api_keys="always") as service:
        yield service


@pytest.fixture(scope="module")
def key(asked: Service) -> str:
    return create_key(asked.settings, "schemathesis", Scope.ADMINISTER)[1]


def ask(service: Service, key: str, *options: str, configuration: Path = CONFIGURATION) -> None:
    """Run it, in one thread so that it does the same each time, and show what it says where it finds something."""
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(configuration),
        "run",
        f"{service.address}/openapi.json",
        "--header",
        f"Authorization: Bearer {key}",
        "--continue-on-failure",
        "--no-color",
        "--phases",
        "examples,coverage",
        "--max-time",
        str(MOST_SECONDS),
        *options,
    ]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=10 * MOST_SECONDS, cwd=service.settings.home
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_whatever_is_asked_is_answered_as_described(asked: Service, key: str) -> None:
    ask(asked, key)


def test_what_is_there_is_answered_as_described(asked: Service, key: str, tmp_path: Path) -> None:
    """With the ids of a job, a result and a prototype, so that answers are more than 404."""
    image = io.BytesIO()
    Image.fromarray(paint_scene((5, 1), EASY).image).save(image, "PNG")
    with asked.client(headers={"Authorization": f"Bearer {key}"}) as client:
        answer = client.post(
            "/v1/segmentations",
            files={"image": ("a.png", image.getvalue())},
            data={"categories": "ball, sky", "explain": "true"},
            headers={"Prefer": "wait=120"},
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        found = client.get("/v1/banks/default/search", params={"text": "ball", "limit": 1}).json()["items"]
    values = {
        "path.job_id": answer.json()["job"],
        "path.number": 1,
        "path.ending": "mask.png",
        "path.bank": "default@1",
        "path.prototype": found[0]["id"],
        "path.picture": "picture",
    }
    lines = "\n".join(f'"{name}" = {value!r}' for name, value in values.items())
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(f"{CONFIGURATION.read_text()}\n[parameters]\n{lines}\n")
    ask(
        asked,
        key,
        "--include-path-regex",
        r"\{(job_id|prototype|bank)\}",
        "--exclude-method",
        "DELETE",
        configuration=configuration,
    )
