from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from freeda_svc.api import make_application
from freeda_svc.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Asks an application in this process; there is no worker."""
    application = make_application(settings)
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking
