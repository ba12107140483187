"""Health of a running installation."""

import pytest

from tests.api.conftest import Service

pytestmark = pytest.mark.end_to_end


def test_a_running_stack_is_ready(service: Service) -> None:
    with service.client() as asking:
        answers = [asking.get(f"/health/{which}") for which in ("live", "ready")]
    assert [answer.status_code for answer in answers] == [200, 200]
