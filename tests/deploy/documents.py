"""The files of deploy/ as Python reads them."""

from pathlib import Path
from typing import Any

import yaml

from freeda_svc.settings import FILE_SUFFIX, SECRETS, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
KUBERNETES = DEPLOY / "kubernetes" / "base"
Document = dict[str, Any]


class ComposeLoader(yaml.SafeLoader):
    """YAML with the one tag of Compose that is used here, which takes a value away."""


ComposeLoader.add_constructor("!reset", lambda loader, node: None)


def read_compose(path: Path) -> Document:
    found: Document = yaml.load(path.read_text(), ComposeLoader)
    return found


def read_yaml(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


def settings_named(names: list[str]) -> set[str]:
    """The settings that environment variables name; fails where one is no setting."""
    return {_setting(name) for name in names if name.startswith("FREEDA_")}


def _setting(variable: str) -> str:
    name = variable.removeprefix("FREEDA_").lower()
    if variable.endswith(FILE_SUFFIX):
        name = name.removesuffix(FILE_SUFFIX.lower())
        assert name in SECRETS, variable
    assert name in Settings.model_fields, variable
    return name


def seconds(duration: str) -> int:
    """A time span as Compose writes it, such as 90s or 2m."""
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]
