"""Keeping secrets out of what is told: passwords in addresses, and the secrets of the settings wherever they stand."""

import os
import re
from collections.abc import Mapping

from structlog.typing import EventDict, WrappedLogger

from freeda_svc.addresses import HIDDEN, hide_in_text, secrets_of_address
from freeda_svc.settings import SECRETS, Settings

SHORTEST = 4
"""Shorter secrets are hidden in addresses only: they would be found in innocent words, too."""
_OF_THE_BUCKET = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_KEY = re.compile(r"\bfreeda_[0-9a-f]{8}_[A-Za-z0-9_-]{20,}")
"""A key of the API."""
_NAMED = re.compile(
    r"(?i)\b(?P<name>password|passwd|api[_-]?key|token|secret)(?P<sign>['\"]?\s*[=:]\s*['\"]?)[^\s&'\",;)}]+"
)


class Redactor:
    """A structlog processor that hides secrets in every text of an event, also inside lists and mappings."""

    def __init__(self, settings: Settings) -> None:
        """Learn the secrets of an installation."""
        found = {secret for name in SECRETS for secret in _secrets(name, getattr(settings, name))}
        found |= {os.environ.get(name, "") for name in _OF_THE_BUCKET}
        # The longest first: one secret may be part of another.
        self._secrets = sorted((secret for secret in found if len(secret) >= SHORTEST), key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG002 - as given
        """Return the event without secrets."""
        return {key: self._hide(value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _NAMED.sub(rf"\g<name>\g<sign>{HIDDEN}", hide_in_text(_KEY.sub(HIDDEN, text)))

    def _hide(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._hide(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._hide(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(repr(value))


def _secrets(name: str, value: str) -> set[str]:
    """The secrets in a setting: the whole of a key, what may not be shown of an address."""
    return secrets_of_address(value) if name.endswith("_url") else {value}
