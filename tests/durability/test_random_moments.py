"""A short piece of ``make soak``."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.durability.random_moments import disturb_one_machine
from tests.durability.workload import Outcome

pytestmark = pytest.mark.end_to_end


def test_what_happens_at_random_moments_changes_nothing(
    homes: Callable[[str], Path], undisturbed: Outcome, images: list[Path]
) -> None:
    disturb_one_machine(homes("random-moments"), random.Random(5), undisturbed, images[:10], times=1)
