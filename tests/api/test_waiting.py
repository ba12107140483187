"""Requests that wait for jobs are woken by what workers announce; without a broker they look at SQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from freeda_svc.api import waiting
from freeda_svc.api.waiting import JobChanges, wait_for_end
from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.changes import ChangeNotifier
from tests.tcp_broker import tcp_broker

JOB, OTHER = "0123456789ab", "ba9876543210"
LONG = 60.0
"""Longer than a test may take: who is not woken does not come back in time."""


@asynccontextmanager
async def _listening(changes: JobChanges) -> AsyncIterator[JobChanges]:
    task = asyncio.create_task(changes.listen())
    try:
        yield changes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _is_woken(waiting_for: Awaitable[None], seconds: float = LONG) -> bool:
    """Whether a wait of any length ends within some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting_for
            return True
    return False


@pytest.fixture
def open_items(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Whether anything of the job is open, as SQL would say."""
    state = {JOB: True}
    monkeypatch.setattr(waiting, "has_open_items", lambda _settings, job_id: state[job_id])
    return state


def _request(*messages: Message) -> Request:
    """A request whose client sends nothing more, but what is named."""
    left = iter(messages)

    async def receive() -> Message:
        for message in left:
            return message
        await asyncio.sleep(LONG)
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


def _run(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene()

    asyncio.run(run())


def test_a_worker_s_change_wakes_those_who_wait_for_the_job(tmp_path: Path) -> None:
    with tcp_broker(tmp_path / "broker") as url:
        settings = load_settings(home=tmp_path / "home", broker_url=url)
        notifier = ChangeNotifier(url)

        async def scene() -> None:
            async with _listening(JobChanges(settings)) as changes:
                with changes.watch(JOB) as first, changes.watch(JOB) as second, changes.watch(OTHER) as other:
                    assert await _is_woken(other.wait(LONG))  # it listens from now on
                    await first.wait(0)
                    await second.wait(0)
                    notifier.notify(JOB)
                    assert await _is_woken(first.wait(LONG))
                    assert await _is_woken(second.wait(LONG))
                    assert not await _is_woken(other.wait(LONG), 0.2)

        _run(scene)
        notifier.close()


def test_a_broker_that_comes_back_lets_everybody_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "RETRY_SECONDS", 0.05)
    settings = load_settings(home=tmp_path / "home")

    async def scene() -> None:
        async with _listening(JobChanges(settings)) as changes:
            with changes.watch(JOB) as watch:
                assert await _is_woken(watch.wait(LONG))  # nobody announces anything: it looks
                with tcp_broker(tmp_path / "broker") as url:
                    monkeypatch.setattr(changes, "_settings", load_settings(home=tmp_path, broker_url=url))
                    notifier = ChangeNotifier(url)
                    for _ in range(200):
                        await asyncio.sleep(0.05)
                        if int(str(notifier._client.pubsub_numpat())):  # type: ignore[union-attr]
                            break
                    await watch.wait(0)
                    notifier.notify(JOB)
                    assert await _is_woken(watch.wait(LONG))
                    notifier.close()

    _run(scene)


def test_only_so_many_wait_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITING", 2)

    async def scene() -> None:
        changes = JobChanges(settings)
        with changes.watch(JOB), changes.watch(JOB):
            assert not changes.has_room
            with pytest.raises(UnavailableError, match="ask without waiting"), changes.watch(OTHER):
                pass
        assert changes.has_room

    _run(scene)


def test_waiting_ends_with_the_job(settings: Settings, open_items: dict[str, bool]) -> None:
    async def scene() -> None:
        changes = JobChanges(settings)
        async with _listening(changes):
            waits = asyncio.create_task(wait_for_end(changes, settings, JOB, LONG, _request()))
            await asyncio.sleep(0.1)
            assert not waits.done()
            open_items[JOB] = False
            changes.changed(JOB)
            assert await waits
            assert changes._waiting == 0
            assert not changes._watches

    _run(scene)


def test_without_announcements_one_looks_after_a_while(
    settings: Settings, open_items: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.05)

    async def scene() -> None:
        waits = asyncio.create_task(wait_for_end(JobChanges(settings), settings, JOB, LONG, _request()))
        await asyncio.sleep(0.1)
        open_items[JOB] = False
        assert await waits

    _run(scene)


@pytest.mark.usefixtures("open_items")
def test_nobody_waits_longer_than_asked_for(settings: Settings) -> None:
    async def scene() -> None:
        assert not await wait_for_end(JobChanges(settings), settings, JOB, 0.05, _request())

    _run(scene)


@pytest.mark.usefixtures("open_items")
def test_a_client_that_goes_is_not_waited_for(settings: Settings) -> None:
    async def scene() -> None:
        request = _request({"type": "http.request"}, {"type": "http.disconnect"})
        waits = wait_for_end(JobChanges(settings), settings, JOB, LONG, request)
        async with asyncio.timeout(10):
            assert not await waits

    _run(scene)


@pytest.mark.usefixtures("open_items")
def test_a_server_that_stops_answers_those_who_wait(settings: Settings) -> None:
    async def scene() -> None:
        changes = JobChanges(settings)
        waits = asyncio.create_task(wait_for_end(changes, settings, JOB, LONG, _request()))
        await asyncio.sleep(0.05)
        changes.end()
        async with asyncio.timeout(10):
            assert not await waits
        assert not changes.has_room

    _run(scene)
