"""Does the HTTP API answer, and may it start?"""

from collections.abc import Iterator

import httpx

from freeda_svc.api import check_access
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.errors import InputError
from freeda_svc.host_lists import ip_address_of
from freeda_svc.settings import Settings

ANSWER_SECONDS = 5.0
PART = "api"


def look_at_api(settings: Settings) -> Iterator[Finding]:
    """Is somebody let in, and does a server answer at the port?"""
    if not settings.api_port:
        yield ok(PART, "none is wanted: api_port is 0")
        return
    if settings.embedded_database and not settings.database_file.is_file():  # looking must not make it
        yield note(PART, "nobody answers yet", "`freeda up` answers requests, too")
        return
    try:
        check_access(settings)
    except InputError as error:
        yield wrong(PART, str(error), "until then `freeda up` and `freeda serve` do not start")
        return
    host = _asked_host(settings.api_host)
    try:
        answer = httpx.get(f"http://{host}:{settings.api_port}/health/live", timeout=ANSWER_SECONDS, trust_env=False)
        answers = answer.is_success and answer.json() == {"status": "ok"}
    except httpx.ConnectError:
        yield note(PART, f"nobody answers at {host}:{settings.api_port}", "`freeda up` or `freeda serve` does")
        return
    except (httpx.HTTPError, ValueError):
        answers = False
    if answers:
        yield ok(PART, f"http://{host}:{settings.api_port} answers")
    else:
        taken = f"another program answers at {host}:{settings.api_port}"
        yield wrong(PART, taken, "set FREEDA_API_PORT to a port that is free")


def _asked_host(listens_at: str) -> str:
    address = ip_address_of(listens_at)
    if address is not None and address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"  # noqa: PLR2004 - IPv4
    return f"[{listens_at}]" if ":" in listens_at else listens_at
