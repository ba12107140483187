import threading

import pytest
import torch

from freeda_svc.bank.embedded.threads import on_one_thread, on_threads, thread_count

pytestmark = pytest.mark.usefixtures("three_threads")


def test_threads_are_as_many_as_the_rows_are_worth_and_torch_may_use() -> None:
    assert [thread_count(rows, 10) for rows in (0, 9, 10, 25, 35, 1000)] == [1, 1, 1, 2, 3, 3]
    torch.set_num_threads(64)
    assert thread_count(10**6, 10) < 64


def test_parts_are_done_at_once_on_threads_on_which_torch_computes_alone() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def work(part: int) -> tuple[int, int]:
        meeting.wait()  # fails unless all three are being done
        return 10 * part, torch.get_num_threads()

    assert on_threads(work, [1, 2, 3]) == [(10, 1), (20, 1), (30, 1)]
    assert torch.get_num_threads() == 3


def test_a_single_part_is_done_on_this_thread() -> None:
    found = on_threads(lambda _: (threading.current_thread(), torch.get_num_threads()), ["all"])
    assert found == [(threading.current_thread(), 1)]


def test_what_a_part_raises_comes_out_and_torch_has_its_threads_again() -> None:
    def work(part: int) -> float:
        return 1 / part

    for parts in ([0], [1, 0]):
        with pytest.raises(ZeroDivisionError):
            on_threads(work, parts)
        assert torch.get_num_threads() == 3


def test_torch_has_its_threads_again_afterwards() -> None:
    with on_one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
