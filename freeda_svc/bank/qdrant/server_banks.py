"""The banks on one server: a collection for each version, and an alias that names the current one."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus

from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from freeda_svc.bank.banks import BankName, Banks, there_already
from freeda_svc.bank.changes import Changes
from freeda_svc.bank.manifest import Manifest, new_manifest
from freeda_svc.bank.points import REGISTERS
from freeda_svc.bank.qdrant.connection import Connection, asking
from freeda_svc.bank.qdrant.server import ServerEngine, complete_collection, create_collection, manifest_of
from freeda_svc.bank.records import Approximate
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError


class ServerBanks(Banks):
    """`Banks` on a server.

    Version 2 of the bank ``animals`` is the collection ``freeda-animals.v2``; the alias ``freeda-animals`` leads to
    the current version. No bank's name has a dot, so no alias can take the name of a collection. Other collections of
    the server are left alone.
    """

    def __init__(self, connection: Connection, approximate: Approximate | None = None, prefix: str = "freeda") -> None:
        """Take a server; nothing is sent yet.

        Args:
            connection: where the server is.
            approximate: how the stores that are opened search when it need not be exact; None is exact.
            prefix: with what the names of all collections and aliases begin.
        """
        self._connection = connection
        self._approximate = approximate
        self._prefix = prefix
        self._client = connection.client()

    def create(self, bank: BankName, pack: str, key_dimension: int, vector_dimension: int) -> None:
        """Make an empty version of a bank; see `Banks.create`."""
        manifest = new_manifest(pack, key_dimension, vector_dimension)
        collection, alias = self._collection(bank), self._alias(bank.name)
        with self._asking(f"the bank {bank}"):
            present = self._collections()
            if collection in present:
                raise there_already(bank)
            if alias in present:
                raise InputError(
                    f"the server {self._connection.address} has a collection {alias} that is no bank: "
                    "give the bank another name"
                )
            try:
                create_collection(self._client, collection, manifest)
            except UnexpectedResponse as error:
                if error.status_code == HTTPStatus.CONFLICT:  # somebody made it after the list was read
                    raise there_already(bank) from error
                raise
            complete_collection(self._client, collection)
            if bank.name not in self._versions_among(present):
                self._client.update_collection_aliases([_lead(alias, collection)])

    def open(self, bank: BankName) -> PrototypeStore:
        """Open a version; see `Banks.open`. Any number of processes may have it open."""
        self.resolve(str(bank))
        name, address = self._collection(bank), self._connection.address
        client = self._connection.client()
        try:
            with asking(address, f"the bank {bank}"):
                info = client.get_collection(name)
                manifest = manifest_of(address, name, info)
                complete_collection(client, name, frozenset(info.payload_schema))  # whoever made it may be cut off
            engine = ServerEngine(client, self._connection, name, manifest)
            changes = Changes(engine)
            changes.begin()
        except BaseException:
            client.close()
            raise
        return PrototypeStore(engine, changes, manifest, self._approximate, engine.close)

    def close(self) -> None:
        """Drop the connections; stores that were opened have their own. Closing again does nothing."""
        self._client.close()

    def _collection(self, bank: BankName) -> str:
        return f"{self._alias(bank.name)}.v{bank.version}"

    def _alias(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _collections(self) -> set[str]:
        return {collection.name for collection in self._client.get_collections().collections}

    def _versions(self) -> dict[str, list[int]]:
        with self._asking("its list of banks"):
            return self._versions_among(self._collections())

    def _versions_among(self, collections: set[str]) -> dict[str, list[int]]:
        versions: dict[str, list[int]] = {}
        for collection in collections:
            found = re.fullmatch(re.escape(self._prefix) + r"-([^.]+)\.v([1-9][0-9]{0,8})", collection)
            if found is not None:
                versions.setdefault(found[1], []).append(int(found[2]))
        return {name: sorted(numbers) for name, numbers in versions.items()}

    def _current(self, name: str, versions: Sequence[int]) -> int:
        with self._asking("its list of banks"):
            known = {(one.alias_name, one.collection_name) for one in self._client.get_aliases().aliases}
        leads = (v for v in versions if (self._alias(name), self._collection(BankName(name, v))) in known)
        return next(leads, versions[0])

    def _set_current(self, bank: BankName) -> None:
        # A server moves an alias that is there already. To delete it first, in the same request, would lose it where
        # the collection has just been dropped: actions are carried out one by one.
        with self._asking(f"the bank {bank}"):
            self._client.update_collection_aliases([_lead(self._alias(bank.name), self._collection(bank))])

    def _count(self, bank: BankName) -> int:
        with self._asking(f"the bank {bank}"):
            return max(0, self._client.count(self._collection(bank), exact=True).count - len(REGISTERS))

    def _manifest(self, bank: BankName) -> Manifest:
        collection = self._collection(bank)
        with self._asking(f"the bank {bank}"):
            return manifest_of(self._connection.address, collection, self._client.get_collection(collection))

    def _remove(self, bank: BankName, *, is_last: bool) -> None:  # noqa: ARG002 - an alias goes with its collection
        with self._asking(f"the bank {bank}"):
            self._client.delete_collection(self._collection(bank))

    def _asking(self, about: str) -> AbstractContextManager[None]:
        return asking(self._connection.address, about)


def _lead(alias: str, collection: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(alias_name=alias, collection_name=collection))
