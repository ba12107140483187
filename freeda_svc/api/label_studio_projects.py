"""Parameters that Label Studio gives when a project is connected, and does not repeat when it asks for predictions."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from freeda_svc.artifacts import open_artifacts
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.settings import Settings, prepare_home

FOLDER = "label-studio"
"""Below the artifacts, which all servers share."""
LONGEST_PARAMETERS = 10_000
"""Characters."""
_FORM = 'an object such as {"background": "wall, floor", "k": 100}'


def keep_parameters(settings: Settings, project: str | int | None, given: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    """Keep the parameters of a project in place of those before.

    Args:
        settings: the installation.
        project: tells it from others.
        given: an object, the text of one, or nothing.

    Returns:
        The parameters by name, as text.

    Raises:
        InputError: they are something else.
        UnavailableError: they cannot be kept.
    """
    parameters = _read(given)
    name, artifacts = _name(project), open_artifacts(settings)
    try:
        if parameters:
            prepare_home(settings)
            artifacts.write(name, json.dumps(parameters).encode())
        else:
            artifacts.remove(name)
    except UnavailableError as error:
        raise UnavailableError(f"the project's parameters cannot be kept: {error}") from error
    return parameters


def kept_parameters(settings: Settings, project: str | int | None) -> dict[str, str]:
    """Return the parameters of a project; none where none were given."""
    try:
        return _read(open_artifacts(settings).read(_name(project)).decode())
    except NotFoundError:
        return {}
    except UnavailableError as error:
        raise UnavailableError(f"the project's parameters cannot be read: {error}") from error


def _name(project: str | int | None) -> str:
    return f"{FOLDER}/{hashlib.sha256(str(project or '').encode()).hexdigest()}.json"


def _read(given: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    if isinstance(given, str):
        if len(given) > LONGEST_PARAMETERS:
            raise InputError(f"extra_params has {len(given):,} characters; {LONGEST_PARAMETERS:,} are taken")
        try:
            given = json.loads(given) if given.strip() else None
        except (ValueError, RecursionError) as error:
            raise InputError(f"extra_params is no JSON; expected {_FORM}") from error
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"extra_params is no object; expected {_FORM}")
    read = {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    if len(json.dumps(read)) > LONGEST_PARAMETERS:
        raise InputError(f"extra_params has more than {LONGEST_PARAMETERS:,} characters")
    return {name: value for name, value in read.items() if value not in ("", "null")}
