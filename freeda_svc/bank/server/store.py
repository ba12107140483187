"""A prototype store on a Qdrant server, in one collection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient, models

from freeda_svc.bank.checks import check_prototypes, check_queries, check_reasons
from freeda_svc.bank.manifest import Manifest
from freeda_svc.bank.points import KEY, PROTOTYPE, distinct_points, read_prototype
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.bank.server import writing
from freeda_svc.bank.server.collection import (
    ADDED,
    MARKED,
    REGISTER,
    VISIBLE,
    complete_collection,
    field_is,
    prepare_approximate,
    read_manifest,
)
from freeda_svc.bank.server.connection import Connection, asking
from freeda_svc.bank.server.nearest import find_nearest
from freeda_svc.bank.server.stored import (
    IDS_A_REQUEST,
    parts,
    points_an_answer,
    possible_ids,
    public_payload,
    vector_of,
)
from freeda_svc.bank.store import ALL, BankStats, Neighbours, Payload, Selection, Version
from freeda_svc.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from freeda_svc.prototypes.record import Prototype

# What `since` leaves out must be older than this: clocks of the machines that add may differ, and a batch is stamped
# a moment before it is seen.
_CLOCKS_DIFFER_BY = 5 * 60 * 1_000_000


class ServerStore:
    """A `PrototypeStore` that any number of processes use at the same time.

    Keys are float32 vectors of unit length that the server compares by cosine, going through all of them unless the
    store was opened for approximate search; prototypes are raw, in half precision, on the server's disk and never
    searched. Several threads may use one store.
    """

    def __init__(
        self, client: QdrantClient, address: str, name: str, manifest: Manifest, approximate: Approximate | None
    ) -> None:
        """Take over a client; use `open` instead."""
        self._client = client
        self._address = address
        self._name = name
        self._manifest = manifest
        self._params = _search_params(approximate)

    @classmethod
    def open(cls, connection: Connection, name: str, approximate: Approximate | None = None) -> Self:
        """Open the collection of a bank.

        Args:
            connection: where the server is.
            name: the collection.
            approximate: how to search when it need not be exact; what the server needs for it, it builds in the
                background, and is exact but slow until then. None is exact.

        Raises:
            NotFoundError: there is no such collection.
            InputError: it is no bank's, broken, or of a later version; or the server refuses.
            UnavailableError: the server does not answer.
        """
        client = connection.client()
        try:
            with asking(connection.address, f"the collection {name}"):
                info = client.get_collection(name)
                manifest = read_manifest(connection.address, name, info)
                if not client.retrieve(name, [REGISTER], with_payload=False):
                    # Whoever made it was cut off.
                    complete_collection(client, name, frozenset(info.payload_schema))
                if approximate is not None:
                    prepare_approximate(client, name, info, approximate)
            return cls(client, connection.address, name, manifest, approximate)
        except BaseException:
            client.close()
            raise

    @property
    def pack(self) -> str:
        """Fingerprint of the pack all prototypes were made with."""
        return self._manifest.pack

    @property
    def key_dimension(self) -> int:
        """Dt, the number of values in a key."""
        return self._manifest.key_dimension

    @property
    def vector_dimension(self) -> int:
        """Dv, the number of values in a prototype."""
        return self._manifest.vector_dimension

    def add(self, prototypes: Sequence["Prototype"]) -> int:
        """Store a batch; see `PrototypeStore.add`.

        Another process may meet a part of the batch for the moment in which the server shows it.
        """
        if not prototypes:
            return 0
        check_prototypes(prototypes, self.pack, self.key_dimension, self.vector_dimension)
        with self._asking():
            return writing.add(self._client, self._name, distinct_points(prototypes))

    def nearest(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        *,
        origins: frozenset[str] | None = None,
        since: Version | None = None,
    ) -> list[Neighbours]:
        """The k nearest keys of each query; see `PrototypeStore.nearest`.

        What another process removes meanwhile may be missing without one in its place.
        """
        check_queries(queries, k, self.key_dimension)
        conditions: list[models.Condition] = [field_is(VISIBLE, True), field_is(MARKED, False)]
        if origins is not None:
            conditions.append(models.FieldCondition(key="origin", match=models.MatchAny(any=sorted(origins))))
        if since is not None:
            after = since.additions - _CLOCKS_DIFFER_BY
            conditions.append(models.FieldCondition(key=ADDED, range=models.Range(gt=after)))
        with self._asking():
            condition = models.Filter(must=conditions)
            ranked = find_nearest(self._client, self._name, queries, k, condition=condition, params=self._params)
            distinct = list(dict.fromkeys(identifier for ranking in ranked for identifier in ranking.ids))
            vectors = self._vectors_there(distinct)
        return [ranking.with_vectors(vectors, self.vector_dimension) for ranking in ranked]

    def vectors(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The raw prototypes of some ids; see `PrototypeStore.vectors`."""
        with self._asking():
            found = self._vectors_there(possible_ids(ids))
        rows = np.empty((len(ids), self.vector_dimension), dtype=np.float32)
        for row, identifier in zip(rows, ids, strict=True):
            if identifier not in found:
                raise self._missing(identifier)
            row[:] = found[identifier]
        return rows

    def payloads(self, ids: Sequence[str]) -> list[Payload]:
        """Everything but key and vector of some ids; see `PrototypeStore.payloads`."""
        found: dict[str, Payload] = {}
        for some in parts(possible_ids(ids), points_an_answer(0)):
            with self._asking():
                records = self._client.retrieve(self._name, list(some), with_payload=True)
            found.update((str(r.id), public_payload(r.payload)) for r in records if (r.payload or {}).get(VISIBLE))
        for identifier in ids:
            if identifier not in found:
                raise self._missing(identifier)
        return [found[identifier] for identifier in ids]

    def select(self, selection: Selection) -> list[str]:
        """The ids of all prototypes that are meant; see `PrototypeStore.select`."""
        pages = self._pages(selection, IDS_A_REQUEST, with_payload=False, with_vectors=False)
        return [str(record.id) for page in pages for record in page]

    def count(self, selection: Selection = ALL) -> int:
        """How many prototypes are meant."""
        with self._asking():
            return self._client.count(self._name, _filter(selection), exact=True).count

    def forget(self, ids: Sequence[str]) -> int:
        """Remove prototypes; see `PrototypeStore.forget`."""
        with self._asking():
            return writing.forget(self._client, self._name, possible_ids(ids))

    def mark(self, reasons: Mapping[str, str]) -> int:
        """Mark prototypes as outliers; see `PrototypeStore.mark`.

        Raises:
            InputError: a reason is empty; nothing was marked.
        """
        check_reasons(reasons)
        with self._asking():
            return writing.mark(self._client, self._name, {i: reasons[i] for i in possible_ids(reasons)})

    def unmark(self, ids: Sequence[str]) -> int:
        """Take marks back; see `PrototypeStore.unmark`."""
        with self._asking():
            return writing.unmark(self._client, self._name, possible_ids(ids))

    def scan(self, selection: Selection = ALL, *, at_once: int = 1000) -> Iterator[list["Prototype"]]:
        """Go through prototypes in the order of their ids; see `PrototypeStore.scan`."""
        if at_once < 1:
            raise InputError(f"{at_once} prototypes at once were asked for, expected at least 1")
        page_size = min(at_once, points_an_answer(self.key_dimension + self.vector_dimension))
        waiting: list[Prototype] = []
        for page in self._pages(selection, page_size, with_payload=True, with_vectors=True):
            for record in page:
                payload = public_payload(record.payload)
                waiting.append(read_prototype(payload, vector_of(record, KEY), vector_of(record, PROTOTYPE)))
                if len(waiting) == at_once:
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""
        return dict(sorted(self._values_of("noun", self.count()).items()))

    def stats(self) -> BankStats:
        """Numbers about the whole bank; the server does not say how much disk it takes."""
        prototypes = self.count()
        return BankStats(
            prototypes=prototypes,
            nouns=len(self._values_of("noun", prototypes)),
            captions=len(self._values_of("caption_id", prototypes)),
            jobs=len(self._values_of("job", prototypes).keys() - {""}),
            outliers=self.count(Selection(outlier=True)),
            origins=dict(sorted(self._values_of("origin", prototypes).items())),
            pack=self.pack,
            key_dimension=self.key_dimension,
            vector_dimension=self.vector_dimension,
            bytes_on_disk=0,
        )

    def version(self) -> Version:
        """The bank's version now: one point is looked up."""
        with self._asking():
            return writing.read_version(self._client, self._name)

    def close(self) -> None:
        """Drop the connections; closing again does nothing."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asking(self) -> AbstractContextManager[None]:
        return asking(self._address, f"the collection {self._name}")

    def _missing(self, identifier: str) -> NotFoundError:
        return NotFoundError(
            f"there is no prototype {identifier} in the collection {self._name} at {self._address}: "
            "take the id from a search or a listing"
        )

    def _vectors_there(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        found: dict[str, npt.NDArray[np.float32]] = {}
        for some in parts(ids, points_an_answer(self.vector_dimension)):
            records = self._client.retrieve(self._name, list(some), with_payload=[VISIBLE], with_vectors=[PROTOTYPE])
            found.update((str(r.id), vector_of(r, PROTOTYPE)) for r in records if (r.payload or {}).get(VISIBLE))
        return found

    def _pages(
        self, selection: Selection, size: int, *, with_payload: bool, with_vectors: bool
    ) -> Iterator[list[models.Record]]:
        following: models.ExtendedPointId | None = None
        while True:
            with self._asking():
                page, following = self._client.scroll(
                    self._name,
                    _filter(selection),
                    limit=size,
                    offset=following,
                    with_payload=with_payload,
                    with_vectors=with_vectors,
                )
            yield page
            if following is None:
                return

    def _values_of(self, field: str, points: int) -> dict[str, int]:
        # There cannot be more values than points; more points may have come since they were counted.
        with self._asking():
            answer = self._client.facet(self._name, field, _filter(ALL), limit=points + IDS_A_REQUEST, exact=True)
        return {str(hit.value): hit.count for hit in answer.hits}


def _filter(selection: Selection) -> models.Filter:
    conditions: list[models.Condition] = [field_is(VISIBLE, True)]
    for field in ("noun", "job", "caption_id", "origin"):
        value = getattr(selection, field)
        if value is not None:
            conditions.append(field_is(field, value))
    if selection.outlier is not None:
        conditions.append(field_is(MARKED, selection.outlier))
    return models.Filter(must=conditions)


def _search_params(approximate: Approximate | None) -> models.SearchParams:
    if approximate is None:
        return models.SearchParams(exact=True)
    return models.SearchParams(
        hnsw_ef=approximate.depth,
        exact=False,
        quantization=models.QuantizationSearchParams(ignore=not approximate.quantized, rescore=True),
    )
