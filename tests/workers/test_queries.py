"""Questions to a worker that is busy, or whose answer fails."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client.http.exceptions import ResponseHandlingException

from freeda_svc.bank.qdrant.connection import asking
from freeda_svc.captions.caption import Caption
from freeda_svc.errors import FreedaError, NotFoundError, UnavailableError
from freeda_svc.jobs import follow_job, job_summary, submit_ingest
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, ask_bank, background_stack, bank_stats
from freeda_svc.workers.answers import ANSWERS
from freeda_svc.workers.messages import CHANGES
from tests.workers.conftest import UNTRIED

CODE = f"""{UNTRIED}
import time
from pathlib import Path
import freeda_svc.workers.answers
import freeda_svc.workers.performing

def perform(held, claim):
    while not Path({{flag!r}}).exists():
        time.sleep(0.05)
    return {{{{"images": 1}}}}

freeda_svc.workers.performing.perform = perform
freeda_svc.workers.answers.ANSWERS["list_banks"] = lambda held: 1 / 0
freeda_svc.workers.answers.ANSWERS["create_bank"] = lambda held, bank: 1 / 0
freeda_svc.workers.answers.ANSWERS["count_nouns"] = lambda held, bank: {{{{1, 2}}}}
"""


LONG_ITEM = f"""{UNTRIED}
import time
from pathlib import Path
import freeda_svc.workers.performing

def perform(held, claim):
    noting = freeda_svc.workers.performing._Noting(held, claim)
    while not Path({{flag!r}}).exists():
        time.sleep(0.05)
        noting(1)
    return {{{{"images": 1}}}}

freeda_svc.workers.performing.perform = perform
"""


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """The file whose being there ends an item."""
    return tmp_path / "flag"


@pytest.fixture
def busy(
    make_settings: Callable[..., Settings], described_pack: str, run_first: Callable[[str], None], flag: Path
) -> Settings:
    """Settings of a worker whose item lasts until the flag is there, and whose answers fail."""
    run_first(CODE.format(flag=str(flag)))
    return make_settings(pack=described_pack, query_timeout_seconds=120)


@pytest.mark.end_to_end
def test_a_busy_worker_answers_when_it_can_and_says_what_it_cannot(
    busy: Settings, flag: Path, captions: Callable[..., list[Caption]], eventually: Callable[..., None]
) -> None:
    settings = busy
    with background_stack(settings), ThreadPoolExecutor(1) as asking_beside:
        job_id = submit_ingest(settings, captions(1), source="x", dispatcher=CeleryDispatcher(settings))
        eventually(lambda: job_summary(settings, job_id).progress.running)
        answer = asking_beside.submit(bank_stats, settings)
        with pytest.raises(TimeoutError):  # no answer while the item runs
            answer.result(timeout=2)
        flag.touch()
        with pytest.raises(NotFoundError):  # the worker's answer
            answer.result(timeout=120)
        for question, given in (("list_banks", {}), ("count_nouns", {"bank": "default"})):
            with pytest.raises(FreedaError, match="the worker could not answer") as caught:
                ask_bank(settings, question, **given)
            assert "is not known" not in str(caught.value)
        with pytest.raises(FreedaError, match=r"ZeroDivisionError: division by zero.*freeda bank list") as caught:
            ask_bank(settings, "create_bank", bank="cats")
        assert "\n" not in str(caught.value)
        with pytest.raises(FreedaError, match="could not answer"):
            ask_bank(settings, "describe_bank", wrong="argument")
        *_, last = follow_job(settings, job_id)
        assert last.state == "done"


@pytest.mark.end_to_end
def test_a_worker_answers_in_the_midst_of_a_long_item(
    make_settings: Callable[..., Settings],
    described_pack: str,
    run_first: Callable[[str], None],
    captions: Callable[..., list[Caption]],
    tmp_path: Path,
) -> None:
    flag = tmp_path / "flag"
    run_first(LONG_ITEM.format(flag=str(flag)))
    settings = make_settings(pack=described_pack)
    with background_stack(settings):
        job_id = submit_ingest(settings, captions(1), source="x", dispatcher=CeleryDispatcher(settings))
        with pytest.raises(NotFoundError):  # which the worker said
            bank_stats(settings)
        assert ask_bank(settings, "list_banks") == []
        hasty = settings.model_copy(update={"query_timeout_seconds": 3})
        with pytest.raises(UnavailableError, match="did not answer"):  # what closes a bank waits for the item's end
            ask_bank(hasty, "copy_bank", bank="default@1", folder=str(tmp_path / "copy"))
        assert job_summary(settings, job_id).progress.running == 1
        flag.touch()
        with pytest.raises(FreedaError, match="default/1"):  # there is none
            ask_bank(settings, "copy_bank", bank="default@1", folder=str(tmp_path / "copy"))
        *_, last = follow_job(settings, job_id)
        assert last.state == "done"


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        ("describe_bank", {"bank": "default"}, "ask again later"),
        ("drop_bank", {"bank": "cats@1"}, "or still will, is not known: `freeda bank list` shows it"),
        ("forget", {"bank": "cats", "selection": {"noun": "cat"}}, "is not known: `freeda bank stats` shows it"),
    ],
)
def test_after_a_time_out_it_is_said_what_is_not_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, question: str, given: dict[str, Any], told: str
) -> None:
    from freeda_svc.workers import queries  # noqa: PLC0415
    from freeda_svc.workers.broker_server import start_broker  # noqa: PLC0415

    start_broker(settings)
    monkeypatch.setattr(queries, "worker_is_running", lambda _settings: True)
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.3 s") as caught:
        ask_bank(settings.model_copy(update={"query_timeout_seconds": 0.3}), question, **given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("source", "is_told"), [(httpx.ReadTimeout("slow"), True), (httpx.ReadError("cut"), True),
                            (httpx.ConnectError("refused"), False), (httpx.ConnectTimeout("slow"), False)]
)  # fmt: skip
def test_a_change_of_a_servers_bank_whose_answer_is_lost_may_have_happened(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, source: Exception, is_told: bool
) -> None:
    def lose(*_given: object, **_named: object) -> None:
        with asking("http://bank", "the bank cats@1"):
            raise ResponseHandlingException(source)

    for name in ("drop_bank", "list_banks"):
        monkeypatch.setitem(ANSWERS, name, lose)
    with pytest.raises(UnavailableError) as caught:
        ask_bank(settings, "drop_bank", bank="cats@1")
    assert ("is not known: `freeda bank list`" in str(caught.value)) is is_told
    with pytest.raises(UnavailableError) as caught:
        ask_bank(settings, "list_banks")
    assert "is not known" not in str(caught.value)


def test_all_changes_are_answers() -> None:
    assert set(CHANGES) < set(ANSWERS)
    changing = ("create", "switch", "drop", "forget", "curate", "uncurate", "index", "mark", "unmark")
    assert set(CHANGES) == {name for name in ANSWERS if name.startswith(changing)}
