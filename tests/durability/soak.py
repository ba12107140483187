"""``make soak``: rounds of random disturbances, for ``FREEDA_SOAK_MINUTES`` (10). Not collected by ``make test``.

A round that fails names its seed; ``FREEDA_SOAK_SEED`` begins with that one.
"""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.random_moments import disturb_one_machine, disturb_several_machines
from tests.durability.workload import Outcome

pytestmark = pytest.mark.end_to_end

MINUTES = float(os.environ.get("FREEDA_SOAK_MINUTES") or 10)
FIRST_SEED = int(os.environ.get("FREEDA_SOAK_SEED") or random.randrange(10**6))
DISTURBANCES = 8


def test_whatever_happens_whenever_all_is_done_once(
    homes: Callable[[str], Path], undisturbed: Outcome, images: list[Path]
) -> None:
    until = time.monotonic() + 60 * MINUTES
    seed = FIRST_SEED
    while seed == FIRST_SEED or time.monotonic() < until:
        chance = random.Random(seed)
        disturb = chance.choice([disturb_one_machine, disturb_several_machines])
        print(f"seed {seed}: {disturb.__name__}", flush=True)
        folder = homes(f"seed-{seed}")
        try:
            disturb(folder, chance, undisturbed, images, DISTURBANCES)
        except BaseException as error:
            error.add_note(f"what happened when follows from FREEDA_SOAK_SEED={seed}")
            raise
        shutil.rmtree(folder)
        seed += 1
