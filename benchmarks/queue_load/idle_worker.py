"""``python -m benchmarks.queue_load.idle_worker``: a worker of the service whose items do nothing.

Only what is done for an item is replaced, in this process and in the working process below it, which imports this
module again before anything else. Everything around it is the product's.
"""

import sys
import time
from typing import Any

import freeda_svc.workers.performing
import freeda_svc.workers.trial
from freeda_svc.errors import FreedaError
from freeda_svc.jobs.claims import Claim
from freeda_svc.settings import load_settings
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.supervisor import run_stack

HANGING = "hanging"
HANGING_SECONDS = 3600.0


def perform_nothing(resources: Resources, claim: Claim) -> dict[str, Any]:  # noqa: ARG001 - the interface of what it replaces
    """Do nothing; a caption with the word ``HANGING`` is never done at the first attempt."""
    if claim.attempt == 1 and any(HANGING in caption for caption in claim.input["captions"]):
        time.sleep(HANGING_SECONDS)
    return {}


def try_nothing(*_given: object, **_named: object) -> list[freeda_svc.workers.trial.Tried]:
    """Find nothing wrong: models are not used."""
    return []


if __name__ in {"__main__", "__mp_main__"}:  # the second is the name in the working process
    freeda_svc.workers.performing.perform = perform_nothing
    freeda_svc.workers.trial.try_parts = try_nothing

if __name__ == "__main__":
    try:
        run_stack(load_settings())
    except FreedaError as error:
        sys.exit(f"{error}")
