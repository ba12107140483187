"""Whatever fails in the middle of a change leaves it undone or done as a whole, in memory and on the disk."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import qdrant_edge

from freeda_svc.bank import open_folder
from freeda_svc.bank.qdrant.edge import EdgeEngine
from freeda_svc.errors import UnavailableError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import expect_all, read_all

Attempt = Callable[[Callable[[], int], int], bool]
"""Does a change with a fault at a step of it; says whether it came to the fault."""

each_change = pytest.mark.parametrize(
    ("kind", "undone_by"), [("add", "take away"), ("mark", "unmark"), ("unmark", "mark"), ("forget", "add")]
)


def try_all_steps(folder: Path, kind: str, undone_by: str, attempt: Attempt) -> int:
    """Attempt a change with a fault at its first step, its second and so on, until it has no further step.

    After each fault the change must be done or not begun, seen so by who has the bank open and by who opens it again,
    and must then be possible.

    Returns:
        How many steps it has.
    """
    store = changing.open_bank(folder)
    changing.perform(store, ("add", 1))
    before = expect_all(("add", 1))
    if kind != "add":
        for change in (("add", 0), (undone_by, 0)):
            changing.perform(store, change)
            before = changing.expect(before, change)
    step, faulty = 0, True
    while faulty:
        change = (kind, 100 + step if kind == "add" else 0)  # new batches bring new nouns
        after = changing.expect(before, change)
        assert after != before
        version = store.revision()
        faulty = attempt(partial(changing.perform, store, change), step)
        found = read_all(store)
        assert found in ([before, after] if faulty else [after])
        assert store.revision() != version or found == before
        if step % 2:
            store.close()
            store = open_folder(folder)
            assert read_all(store) == found
        assert (changing.perform(store, change) == 0) == (found == after)
        assert read_all(store) == after
        undoing = (undone_by, change[1])
        changing.perform(store, undoing)
        before = changing.expect(after, undoing)
        assert read_all(store) == before
        step += 1
    store.close()
    return step - 1


@each_change
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that nobody could close
@pytest.mark.parametrize("moment", ["c_call", "c_return"], ids=["before", "after"])
def test_a_change_that_is_interrupted_at_any_step_is_done_or_not_begun(
    folder: Path, *, kind: str, undone_by: str, moment: str
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    def attempt(change: Callable[[], int], step: int) -> bool:
        changing.at_step(step, moment, interrupt)
        try:
            change()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False

    assert try_all_steps(folder, kind, undone_by, attempt) >= 4


@each_change
def test_a_change_in_which_the_engine_fails_at_any_step_is_done_or_not_begun(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, kind: str, undone_by: str
) -> None:
    """A step here is a call of the engine, which fails for good once its disk has no room for its log."""
    names = ("write", "delete", "retrieve", "count", "add_vector")

    def attempt(change: Callable[[], int], step: int) -> bool:
        calls = 0

        def failing(call: Callable[..., object], *given: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls > step:
                raise UnavailableError("the engine does not answer: no room")
            return call(*given, **named)

        with monkeypatch.context() as patch:
            for name in names:
                call = getattr(EdgeEngine, name)
                patch.setattr(EdgeEngine, name, lambda *a, _call=call, **b: failing(_call, *a, **b))
            try:
                change()
            except UnavailableError:
                return True
        return False

    assert try_all_steps(folder, kind, undone_by, attempt) >= 4


def test_a_panic_in_a_change_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As the engine's, which is no `Exception` either."""

    class Panicking:
        @staticmethod
        def upsert_points(*_: object, **__: object) -> None:
            raise PanicException("index out of bounds:\n the len is 0")

    with changing.open_bank(folder) as store:
        changing.perform(store, ("add", 0))
        expected = read_all(store)
        with monkeypatch.context() as patch:
            patch.setattr(qdrant_edge, "UpdateOperation", Panicking)
            with pytest.raises(UnavailableError) as caught:
                changing.perform(store, ("add", 1))
        assert str(caught.value) == (
            f"the bank {folder} is damaged (index out of bounds: the len is 0): "
            "restore the bank from a backup, or import an archive of it"
        )
        assert read_all(store) == expected


def test_an_opening_that_fails_lets_go_of_the_bank(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changing.open_bank(folder).close()
    for name in ("retrieve", "count", "note_count"):
        with monkeypatch.context() as patch:
            patch.setattr(EdgeEngine, name, lambda *_, **__: Path("/no/such/file").stat())
            with pytest.raises(FileNotFoundError):
                open_folder(folder)
        open_folder(folder).close()
