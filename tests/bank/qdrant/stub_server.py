"""A small server that speaks as much of Qdrant's REST interface as a bank uses, on top of local mode.

It is strict where local mode is not: requests of more than 32 MiB, writes that are not waited for, and filters or
facets over fields without an index are refused, as a server in strict mode does.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, TypeAdapter
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from freeda_svc.bank.qdrant.connection import Connection, connect
from tests.bank.conftest import LocalClient

LARGEST_REQUEST = 32 * 1024 * 1024
API_KEY = "secret-of-the-tests"


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Exchange:
    """One request as it came, and the size of its answer."""

    method: str
    path: str
    content: bytes
    answered: int = 0


@dataclass
class StubServer:
    """Starts and stops like a server; `refuse` decides on each request before it is carried out."""

    client: LocalClient
    port: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    indexed: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: Callable[[str, str, bytes], tuple[int, dict[str, str], bytes] | None] = lambda method, path, content: None
    running: ThreadingHTTPServer | None = None

    def start(self) -> None:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = urlsplit(self.path)
                exchange = Exchange(self.command, path.path, content)
                stub.exchanges.append(exchange)
                status, headers, answer = stub.answer(exchange, parse_qs(path.query), self.headers.get("api-key"))
                exchange.answered = len(answer)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815 - named by the base class

            def log_message(self, *args: object) -> None:
                pass

        self.running = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.running.server_port
        threading.Thread(target=self.running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self.running is not None:
            self.running.shutdown()
            self.running.server_close()
            self.running = None

    def connection(self) -> Connection:
        return connect(f"http://127.0.0.1:{self.port}", API_KEY, timeout=20)

    def answer(
        self, exchange: Exchange, query: dict[str, list[str]], api_key: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        decided = self.refuse(exchange.method, exchange.path, exchange.content)
        if decided is not None:
            return decided
        if api_key != API_KEY:
            return _told(401, "Must provide an API key")
        if len(exchange.content) > LARGEST_REQUEST:
            return _told(413, "Payload too large")
        try:
            result = self.carry_out(exchange, waits=query.get("wait") == ["true"])
        except UnexpectedResponse as error:
            return _told(error.status_code or 0, "Not found: Collection doesn't exist!")
        except Refused as error:
            return _told(error.status, str(error))
        body = {"result": _plain(result), "status": "ok", "time": 0.0}
        return 200, {}, json.dumps(body).encode()

    def carry_out(self, exchange: Exchange, *, waits: bool) -> object:
        given = json.loads(exchange.content) if exchange.content else {}
        match = re.fullmatch(r"/collections/(?!aliases)([^/]+)(.*)", exchange.path)
        name, path = (match[1], f"/NAME{match[2]}") if match else ("", exchange.path)
        what = f"{exchange.method} {path}"
        carried_out = ROUTES.get(what)
        if carried_out is None:
            raise Refused(404, f"no route {what}")
        if what in WRITES and not waits:
            raise Refused(400, "a bank must wait for its writes")
        self._check_fields(name, given)
        return carried_out(self, name, given)

    def _check_fields(self, name: str, given: object) -> None:
        """Every field that any filter in a request names has an index."""
        if isinstance(given, dict):
            if "key" in given and ("match" in given or "range" in given):
                self.check_index(name, given["key"])
            for value in given.values():
                self._check_fields(name, value)
        elif isinstance(given, list) and given and isinstance(given[0], dict):
            for value in given:
                self._check_fields(name, value)

    def fields(self, name: str) -> list[tuple[str, Any]]:
        """The fields that have an index, with their schemas."""
        return list(self.indexed.get(name, {}).items())

    def check_index(self, name: str, key: str) -> None:
        if name in self.indexed and key not in self.indexed[name]:
            raise Refused(400, f"Bad request: Index required but not found for {key}")


def _told(status: int, reason: str) -> tuple[int, dict[str, str], bytes]:
    return status, {}, json.dumps({"status": {"error": reason}, "time": 0.0}).encode()


def _plain(result: object) -> object:
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json")
    return [_plain(one) for one in result] if isinstance(result, list) else result


def _create(stub: StubServer, name: str, given: dict[str, Any]) -> bool:
    wanted = models.CreateCollection(**given)
    assert wanted.shard_number == 1  # an operation is whole in one shard only
    try:
        stub.client.create_collection(name, vectors_config=wanted.vectors, metadata=wanted.metadata)
    except ValueError as error:  # by another request, after the one that asks has read the list
        raise Refused(HTTPStatus.CONFLICT, f"Wrong input: Collection `{name}` already exists!") from error
    stub.indexed[name] = {}
    return True


def _index(stub: StubServer, name: str, given: dict[str, Any]) -> models.UpdateResult:
    stub.client.get_collection(name)  # or else there is none
    stub.indexed.setdefault(name, {})[given["field_name"]] = given["field_schema"]
    return DONE


def _describe(stub: StubServer, name: str, given: dict[str, Any]) -> dict[str, Any]:
    found = stub.client.get_collection(name).model_dump(mode="json")
    kinds = {field: schema["type"] if isinstance(schema, dict) else schema for field, schema in stub.fields(name)}
    return {**found, "payload_schema": {field: {"data_type": kind, "points": 0} for field, kind in kinds.items()}}


def _change(stub: StubServer, name: str, given: dict[str, Any]) -> bool:
    for vector, change in (models.UpdateCollection(**given).vectors or {}).items():
        parameters = stub.client.collections()[name].config.vectors[vector]
        for name_of in change.model_fields_set:
            if getattr(change, name_of) is not None:
                setattr(parameters, name_of, getattr(change, name_of))
    return True


def _drop(stub: StubServer, name: str, given: dict[str, Any]) -> bool:
    stub.indexed.pop(name, None)
    return bool(stub.client.delete_collection(name))


def _upsert(stub: StubServer, name: str, given: dict[str, Any]) -> models.UpdateResult:
    wanted = models.PointsList(**given)
    stub.client.upsert(name, wanted.points, update_filter=wanted.update_filter, update_mode=wanted.update_mode)
    return DONE


def _delete(stub: StubServer, name: str, given: dict[str, Any]) -> models.UpdateResult:
    stub.client.delete(name, models.PointIdsList(**given))
    return DONE


def _retrieve(stub: StubServer, name: str, given: dict[str, Any]) -> list[models.Record]:
    wanted = models.PointRequest(**given)
    found: list[models.Record] = stub.client.retrieve(
        name, wanted.ids, with_payload=wanted.with_payload, with_vectors=wanted.with_vector
    )
    return found


def _scroll(stub: StubServer, name: str, given: dict[str, Any]) -> models.ScrollResult:
    wanted = models.ScrollRequest(**given)
    points, following = stub.client.scroll(
        name,
        wanted.filter,
        limit=wanted.limit,
        offset=wanted.offset,
        with_payload=wanted.with_payload,
        with_vectors=wanted.with_vector,
    )
    return models.ScrollResult(points=points, next_page_offset=following)


def _count(stub: StubServer, name: str, given: dict[str, Any]) -> models.CountResult:
    assert given["exact"]
    found: models.CountResult = stub.client.count(name, models.CountRequest(**given).filter)
    return found


def _query(stub: StubServer, name: str, given: dict[str, Any]) -> list[models.QueryResponse]:
    found: list[models.QueryResponse] = stub.client.query_batch_points(name, models.QueryRequestBatch(**given).searches)
    return found


def _facet(stub: StubServer, name: str, given: dict[str, Any]) -> models.FacetResponse:
    stub.check_index(name, given["key"])
    wanted = models.FacetRequest(**given)
    found: models.FacetResponse = stub.client.facet(name, wanted.key, wanted.filter, limit=wanted.limit)
    return found


def _change_aliases(stub: StubServer, name: str, given: dict[str, Any]) -> bool:
    # One by one, as a server does: what comes before one that fails is done.
    for action in given["actions"]:
        stub.client.update_collection_aliases([ALIAS_OPERATION.validate_python(action)])
    return True


ALIAS_OPERATION: TypeAdapter[models.AliasOperations] = TypeAdapter(models.AliasOperations)
DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)
ROUTES: dict[str, Callable[[StubServer, str, dict[str, Any]], object]] = {
    "GET /collections": lambda stub, name, given: stub.client.get_collections(),
    "GET /aliases": lambda stub, name, given: stub.client.get_aliases(),
    "POST /collections/aliases": _change_aliases,
    "GET /NAME": _describe,
    "PUT /NAME": _create,
    "PATCH /NAME": _change,
    "DELETE /NAME": _drop,
    "PUT /NAME/index": _index,
    "PUT /NAME/points": _upsert,
    "POST /NAME/points": _retrieve,
    "POST /NAME/points/delete": _delete,
    "POST /NAME/points/scroll": _scroll,
    "POST /NAME/points/count": _count,
    "POST /NAME/points/query/batch": _query,
    "POST /NAME/facet": _facet,
}
WRITES = {"PUT /NAME/index", "PUT /NAME/points", "POST /NAME/points/delete"}
