"""The banks on one server: a collection for each version, and an alias that names the current one."""

import re

from qdrant_client import models

from freeda_svc.bank.banks import BankSummary, missing_bank
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.bank.qdrant.changes import Changes
from freeda_svc.bank.qdrant.connection import Connection, asking
from freeda_svc.bank.qdrant.layout import REGISTERS
from freeda_svc.bank.qdrant.server import ServerEngine, complete_collection, create_collection, manifest_of
from freeda_svc.bank.qdrant.store import QdrantStore
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.errors import FreedaError, InputError, NotFoundError


class ServerBanks:
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
        with asking(self._connection.address, f"the bank {bank}"):
            present = self._collections()
            if collection in present:
                raise InputError(f"there is a bank {bank} already: give another name, or the next version")
            if alias in present:
                raise InputError(
                    f"the server {self._connection.address} has a collection {alias} of something else: "
                    "give the bank another name"
                )
            create_collection(self._client, collection, manifest)
            complete_collection(self._client, collection)
            if bank.name not in self._versions(present):
                self._client.update_collection_aliases([_lead(alias, collection)])

    def resolve(self, text: str) -> BankName:
        """The version that a name means; see `Banks.resolve`."""
        name, version = split_bank_name(text)
        with asking(self._connection.address, f"the bank {text}"):
            versions = self._versions(self._collections())
            if name not in versions:
                raise missing_bank(name, sorted(versions))
            bank = self._current(name, versions[name]) if version is None else BankName(name, version)
        if bank.version not in versions[name]:
            there = ", ".join(str(BankName(name, number)) for number in sorted(versions[name]))
            raise NotFoundError(f"there is no bank {bank} at {self._connection.address}; there are: {there}")
        return bank

    def open(self, bank: BankName) -> QdrantStore:
        """Open a version; see `Banks.open`. Any number of processes may have it open."""
        self.resolve(str(bank))
        name, address = self._collection(bank), self._connection.address
        client = self._connection.client()
        try:
            with asking(address, f"the bank {bank}"):
                info = client.get_collection(name)
                manifest = manifest_of(address, name, info)
                complete_collection(client, name, frozenset(info.payload_schema))  # whoever made it may be cut off
            engine = ServerEngine(client, address, name, manifest)
            changes = Changes(engine)
            changes.begin()
        except BaseException:
            client.close()
            raise
        return QdrantStore(engine, changes, manifest, self._approximate, engine.close)

    def summaries(self) -> list[BankSummary]:
        """All versions of all banks, by name and version."""
        with asking(self._connection.address, "its list of banks"):
            versions = self._versions(self._collections())
            current = {name: self._current(name, numbers) for name, numbers in versions.items()}
        banks = sorted(BankName(name, number) for name, numbers in versions.items() for number in numbers)
        summaries = []
        for bank in banks:
            try:
                summaries.append(self._summary(bank, current=bank == current[bank.name]))
            except NotFoundError:
                # Another process has just dropped it.
                continue
        return summaries

    def switch(self, bank: BankName) -> None:
        """Make a version the current one; see `Banks.switch`."""
        self.resolve(str(bank))
        alias = self._alias(bank.name)
        with asking(self._connection.address, f"the bank {bank}"):
            changes: list[models.AliasOperations] = [_lead(alias, self._collection(bank))]
            if any(known.alias_name == alias for known in self._client.get_aliases().aliases):
                changes.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
            # All in one request, which the server carries out at once for everybody.
            self._client.update_collection_aliases(changes)

    def drop(self, bank: BankName) -> None:
        """Remove a version; see `Banks.drop`. The server cannot tell whether a process has it open."""
        self.resolve(str(bank))
        with asking(self._connection.address, f"the bank {bank}"):
            numbers = self._versions(self._collections()).get(bank.name, set())
            if len(numbers) > 1 and self._current(bank.name, numbers) == bank:
                raise InputError(f"{bank} is the current version of {bank.name}: switch to another before dropping it")
            # An alias that leads to it goes with it.
            self._client.delete_collection(self._collection(bank))

    def close(self) -> None:
        """Drop the connections; stores that were opened have their own. Closing again does nothing."""
        self._client.close()

    def _collection(self, bank: BankName) -> str:
        return f"{self._alias(bank.name)}.v{bank.version}"

    def _alias(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _collections(self) -> set[str]:
        return {collection.name for collection in self._client.get_collections().collections}

    def _versions(self, collections: set[str]) -> dict[str, set[int]]:
        """The numbers of all versions, by the name of the bank."""
        versions: dict[str, set[int]] = {}
        for collection in collections:
            found = re.fullmatch(re.escape(self._prefix) + r"-([^.]+)\.v([1-9][0-9]{0,8})", collection)
            if found is not None:
                versions.setdefault(found[1], set()).add(int(found[2]))
        return versions

    def _current(self, name: str, numbers: set[int]) -> BankName:
        alias = self._alias(name)
        for known in self._client.get_aliases().aliases:
            for number in numbers:
                if known.alias_name == alias and known.collection_name == self._collection(BankName(name, number)):
                    return BankName(name, number)
        # Whoever made the first version was cut off before it could say that it is current.
        return BankName(name, min(numbers))

    def _summary(self, bank: BankName, *, current: bool) -> BankSummary:
        name, address = self._collection(bank), self._connection.address
        with asking(address, f"the bank {bank}"):
            info = self._client.get_collection(name)
            points = self._client.count(name, exact=True).count
        prototypes = max(0, points - len(REGISTERS))
        try:
            manifest = manifest_of(address, name, info)
        except FreedaError as error:
            return BankSummary(bank, current, prototypes, "", 0, 0, "", fault=str(error))
        return BankSummary(
            bank=bank,
            current=current,
            prototypes=prototypes,
            pack=manifest.pack,
            key_dimension=manifest.key_dimension,
            vector_dimension=manifest.vector_dimension,
            created=manifest.created,
        )


def _lead(alias: str, collection: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(alias_name=alias, collection_name=collection))
