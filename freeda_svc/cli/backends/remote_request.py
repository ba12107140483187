"""A segmentation as a server is asked for it."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from freeda_svc.cli.backends.protocol import AskedSegmentation
from freeda_svc.client import Jobs
from freeda_svc.jobs.states import Priority


def request_values(asked: AskedSegmentation, priority: Priority) -> dict[str, Any]:
    """Return what is asked of all images, by the names of the route's fields."""
    values: dict[str, Any] = {**asked.overrides, "priority": priority.name.lower()}
    if asked.choice is None:
        values["auto"] = True
    else:
        named = {
            "vocabulary": asked.choice.vocabulary,
            "categories": [category.given() for category in asked.choice.categories],
            "background": list(asked.choice.background),
        }
        values.update((name, value) for name, value in named.items() if value)
    chosen = {"bank": asked.bank, "explain": asked.explain, "only_propose": asked.only_propose}
    return {**values, **{name: value for name, value in chosen.items() if value}}


@dataclass(frozen=True)
class RemoteRequest:
    """A request for the pack and a bank of a server."""

    jobs: Jobs
    asked: AskedSegmentation

    @property
    def bank_name(self) -> str:
        """Name and version of the bank."""
        return str(self._met["bank"]["bank"])

    def digest(self) -> str:
        """Equal for requests of which one image gets equal results, as long as nothing changes in the bank."""
        asked = {**request_values(self.asked, Priority.NORMAL), "bank": ""}
        pack = {name: self._met["pack"].get(name) for name in ("fingerprint", "segmentation")}
        content = json.dumps([asked, self._met["bank"], pack], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def _met(self) -> dict[str, Any]:
        """The pack and the bank that the server has for the request."""
        return self.jobs.installation(self.asked.bank)
