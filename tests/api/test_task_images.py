"""The images of Label Studio's tasks are fetched within a time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from freeda_svc.api import task_images
from freeda_svc.api.task_images import TaskImages
from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from tests.api.image_host import Host


def test_a_host_that_sends_drop_by_drop_is_not_waited_for(
    settings: Settings, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drops() -> Iterator[bytes]:
        for _ in range(200):
            yield b"a"
            host.hangs.wait(0.05)

    host.at["/drops.png"] = 200, {}, drops()  # type: ignore[assignment]  # as they come
    host.at["/whole.png"] = 200, {}, [b"whole"]
    monkeypatch.setattr(task_images, "WHOLE_SECONDS", 2.0)
    asking = TaskImages(settings.model_copy(update={"image_hosts": f"127.0.0.1:{host.port}"}), tmp_path)
    found = asyncio.run(asking.fetch([(7, host.url("/drops.png")), (8, host.url("/whole.png"))]))
    assert isinstance(found[0], UnavailableError)
    assert str(found[0]) == "task 7: the host of the image has not sent it within 2 seconds"
    assert isinstance(found[1], Path)
    assert found[1].read_bytes() == b"whole"
