"""Posting the ends of jobs to their callbacks, beside the requests of every API process (decision 36)."""

import asyncio
import json
import time
from contextlib import suppress
from datetime import timedelta

from freeda_svc.api.callbacks import ABOUT, callback_rule
from freeda_svc.api.outgoing import answer_of, check_url
from freeda_svc.errors import FreedaError, one_line
from freeda_svc.jobs import CallbackState, DueCallback, end_try, signed_headers, take_due_callbacks
from freeda_svc.jobs.callbacks import FIRST_PAUSE
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 15.0
LEASE = timedelta(seconds=60)
"""Four times as long as an attempt takes at most."""
AT_ONCE = 8
GONE = 410
"""The receiver wants no more of it."""

log = logger(__name__)


class CallbackSender:
    """Looks for ended jobs whose callback is due, and posts them, several at once."""

    def __init__(
        self,
        settings: Settings,
        *,
        look_seconds: float = LOOK_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        first_pause: timedelta = FIRST_PAUSE,
        lease: timedelta = LEASE,
    ) -> None:
        """Prepare it.

        Args:
            settings: the installation; nothing is sent where they let callbacks go nowhere.
            look_seconds: how often it looks.
            answer_seconds: how long an attempt may take.
            first_pause: after the first failed attempt; later ones are longer.
            lease: how long an attempt is this sender's own; longer than ``answer_seconds``.
        """
        self._settings = settings
        self._look_seconds = look_seconds
        self._answer_seconds = answer_seconds
        self._first_pause = first_pause
        self._lease = lease
        self._ended = asyncio.Event()
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until told to stop."""
        if not (self._settings.callback_hosts and self._settings.callback_secret):
            return
        while not self._ended.is_set():
            try:
                await self._look()
            except FreedaError as error:
                log.warning("callbacks must wait", reason=str(error))
            except Exception:  # the task must live on; the log says what was wrong
                log.exception("looking for callbacks failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._look_seconds)
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts)

    def stop(self) -> None:
        """End; attempts in progress are cut off, and made again by whoever sends next."""
        self._ended.set()

    async def _look(self) -> None:
        free = AT_ONCE - len(self._attempts)
        if not free:
            return
        for due in await asyncio.to_thread(take_due_callbacks, self._settings, free, self._lease):
            attempt = asyncio.create_task(self._deliver(due))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    async def _deliver(self, due: DueCallback) -> None:
        try:
            status, error, is_last = await post(self._settings, due, self._answer_seconds)
        except asyncio.CancelledError:
            status, error, is_last = None, "the server was stopped meanwhile", False
        except Exception:
            log.exception("posting a callback failed", job=due.job_id)
            status, error, is_last = None, "the server failed; its log says why", False
        try:
            state = await asyncio.to_thread(
                end_try,
                self._settings,
                due,
                status=status,
                error=error,
                is_last=is_last,
                first_pause=self._first_pause,
            )
        except FreedaError as failure:  # the attempt is made again when its lease ends
            log.warning("a callback's outcome cannot be recorded", job=due.job_id, reason=str(failure))
            return
        if not error:
            log.info("callback delivered", job=due.job_id, attempt=due.tries, status=status)
            return
        given_up = state is CallbackState.GIVEN_UP
        log.warning("callback failed", job=due.job_id, attempt=due.tries, reason=error, given_up=given_up)


async def post(settings: Settings, due: DueCallback, seconds: float) -> tuple[int | None, str, bool]:
    """Post the end of a job once.

    Args:
        settings: the installation.
        due: what is to be posted.
        seconds: how long it may take altogether.

    Returns:
        The HTTP status, or None without an answer; why it failed, or an empty text; whether to give up for good.
    """
    body = json.dumps(due.content, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        **signed_headers(settings, due.key_id, due.message_id, int(time.time()), body),
    }
    rule = callback_rule(settings)
    try:
        async with (
            asyncio.timeout(seconds),
            answer_of(
                ABOUT,
                check_url(ABOUT, due.url, rule),
                rule,
                method="POST",
                headers=headers,
                content=body,
                seconds=seconds,
            ) as answer,
        ):
            status = answer.status_code
    except TimeoutError:
        return None, f"no answer within {seconds:g} seconds", False
    except FreedaError as error:  # also when the settings do not list the host any more
        return None, one_line(error), False
    if 200 <= status < 300:  # noqa: PLR2004 - what means success
        return status, "", False
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return status, f"answered with status {status}: redirects are not followed", False
    return status, f"answered with status {status}", status == GONE
