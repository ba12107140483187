"""Imports into a bank on a server that fails, or that others use meanwhile."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import BankName, make_or_open_folder
from freeda_svc.bank.moving import export_bank
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind, Move
from freeda_svc.prototypes import Prototype
from freeda_svc.settings import Settings
from freeda_svc.workers import perform_move
from freeda_svc.workers.resources import Resources
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import API_KEY, StubServer
from tests.made_prototypes import make_prototype

BANK, POINTS = BankName("animals", 1), "/collections/freeda-animals.v1/points"


def prototype(noun: str) -> Prototype:
    return make_prototype(noun, key=np.eye(3, dtype=np.float32)[0], vector=np.ones(2, dtype=np.float32), pack="f")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with make_or_open_folder(tmp_path / "bank", "f", 3, 2) as store:
        store.add([prototype("cat")])
        export_bank(store, tmp_path / "archive", parameters={})
    return tmp_path / "archive"


@pytest.fixture
def server() -> Iterator[StubServer]:
    server = StubServer(LocalConnection().client())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def resources(server: StubServer, make_settings: Callable[..., Settings]) -> Iterator[Resources]:
    made = Resources(make_settings(qdrant_url=f"http://127.0.0.1:{server.port}", qdrant_api_key=API_KEY))
    yield made
    made.close()


@pytest.mark.parametrize("others", [True, False])
def test_a_bank_that_an_import_has_made_goes_only_when_it_is_known_to_be_empty(
    server: StubServer, resources: Resources, archive: Path, *, others: bool
) -> None:
    """The server fails when the first prototypes are added, after another process has added its own."""

    def fail(method: str, path: str, content: bytes) -> tuple[int, dict[str, str], bytes] | None:
        return (500, {}, b"{}") if path.startswith(POINTS) else None

    def fail_from_the_first(method: str, path: str, content: bytes) -> tuple[int, dict[str, str], bytes] | None:
        if (method, path) != ("PUT", POINTS) or b"caption" not in content:
            return None
        server.refuse = lambda method, path, content: None
        if others:
            banks = ServerBanks(server.connection())
            with banks.open(BANK) as store:
                store.add([prototype("dog")])
            banks.close()
            server.refuse = fail
        return 500, {}, b"{}"

    server.refuse = fail_from_the_first
    move = Move(JobKind.IMPORT, str(BANK), {"archive": str(archive)})
    with pytest.raises(UnavailableError, match="500"):
        perform_move(resources, move, lambda done, total: None)
    server.refuse = lambda method, path, content: None
    assert [(summary.bank, summary.prototypes) for summary in resources.banks.summaries()] == [(BANK, 1)] * others
