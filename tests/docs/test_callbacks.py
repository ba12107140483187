"""The receiver of docs/callbacks.md, as it stands there, takes what the server posts."""

import asyncio
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from freeda_svc.api.callbacks import check_callback
from freeda_svc.api.delivery import CallbackSender
from freeda_svc.captions import make_caption
from freeda_svc.jobs import (
    CallbackState,
    callback_of,
    callback_secret_of,
    cancel_job,
    keep_callback,
    submit_ingest,
    take_due_callbacks,
)
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import CeleryDispatcher
from tests.docs.terminal import ROOT
from tests.free_ports import free_port

DOCUMENT = ROOT / "docs" / "callbacks.md"


@pytest.mark.parametrize(("right", "outcome"), [(True, CallbackState.DELIVERED), (False, CallbackState.OPEN)])
def test_the_receiver_takes_what_is_signed_with_its_secret(tmp_path: Path, right: bool, outcome: CallbackState) -> None:
    port = free_port()
    settings = load_settings(
        home=tmp_path / "home", callback_hosts=f"127.0.0.1:{port}", callback_secret="a long random text"
    )
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    secret = callback_secret_of(settings if right else settings.model_copy(update={"callback_secret": "another" * 3}))
    assert program.count("whsec_...") == program.count("9000") == 1
    program = program.replace("whsec_...", secret).replace("9000", str(port))
    receiver = subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        job_id = _ended_job(settings, f"http://127.0.0.1:{port}/freeda")
        asyncio.run(_send_until_received(settings, job_id))
    finally:
        receiver.terminate()
        output, _ = receiver.communicate()
    found = callback_of(settings, job_id)
    assert found is not None
    assert found.state is outcome
    assert (f"'job': '{job_id}'" in output) == right
    if not right:
        assert 401 in [one.status for one in found.deliveries]


def test_the_message_that_is_shown_has_the_fields_of_a_real_one(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path / "home", callback_hosts="hooks.example.org", callback_secret="a long random text"
    )
    _ended_job(settings, "https://hooks.example.org/")
    (due,) = take_due_callbacks(settings, 1, timedelta(seconds=60))
    (text,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    shown = json.loads(text)
    assert shown.keys() == due.content.keys()
    assert shown["data"].keys() == due.content["data"].keys()
    assert shown["data"]["items"].keys() == due.content["data"]["items"].keys()


def _ended_job(settings: Settings, url: str) -> str:
    caption = make_caption("a cat on a mat")
    assert caption is not None
    job_id = submit_ingest(settings, [caption], source="captions.txt", dispatcher=CeleryDispatcher(settings))
    keep_callback(settings, job_id, check_callback(settings, url))
    cancel_job(settings, job_id)
    return job_id


async def _send_until_received(settings: Settings, job_id: str) -> None:
    """Send until the receiver, which is just starting, has answered."""
    sender = CallbackSender(settings, look_seconds=0.1, first_pause=timedelta(0))
    sending = asyncio.create_task(sender.run())
    for _ in range(600):
        found = callback_of(settings, job_id)
        assert found is not None
        if [one for one in found.deliveries if one.status is not None]:
            break
        await asyncio.sleep(0.1)
    sender.stop()
    await sending
