import errno

import pytest

from freeda_svc.errors import BusyError, InputError, NotFoundError, UnavailableError
from freeda_svc.workers.backoff import LONGEST_SECONDS, Backoff, may_pass, until_available, wait_until


def test_it_waits_longer_each_time_and_calms_down_when_something_works() -> None:
    waited: list[float] = []
    backoff = Backoff(waited.append)
    for _ in range(9):
        backoff.wait()
    assert waited == [0.5, 1, 2, 4, 8, 16, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]
    backoff.reset()
    backoff.wait()
    assert waited[-1] == 0.5


def test_it_tries_until_the_part_answers() -> None:
    waited: list[float] = []
    answers = iter([UnavailableError("away"), UnavailableError("away"), "there"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    backoff = Backoff(waited.append)
    assert until_available(ask, "asking", backoff) == "there"
    assert waited == [0.5, 1]


def test_what_is_so_in_time_is_waited_for_and_no_longer() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 60)
    assert list(answers) == []
    assert not wait_until(lambda: False, 0.05)


def test_other_errors_are_not_waited_for() -> None:
    def ask() -> str:
        raise InputError("wrong")

    with pytest.raises(InputError):
        until_available(ask, "asking", Backoff(lambda _seconds: None))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (UnavailableError("away"), True),
        (BusyError("held"), True),
        (OSError(errno.ENOSPC, "disk full"), True),
        (OSError(errno.ENOENT, "gone"), False),
        (InputError("wrong"), False),
        (NotFoundError("gone"), False),
        (ValueError("odd"), False),
    ],
)
def test_what_says_nothing_of_the_item_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes
