"""Keys of the HTTP API: made once, stored as a digest, good for a scope until they expire or are revoked.

A key is ``freeda_ID_SECRET``. The secret has 256 random bits, so its SHA-256 can neither be guessed nor turned back,
and a slow password hash would only slow down every request.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from freeda_svc.errors import FreedaError, InputError, NotFoundError
from freeda_svc.jobs.database import noting, reading, writing
from freeda_svc.jobs.key_table import ApiKey
from freeda_svc.jobs.tables import now
from freeda_svc.jobs.transitions import changed_rows
from freeda_svc.settings import Settings

PREFIX = "freeda"
LONGEST_NAME = 64
USE_NOTED_EVERY = timedelta(minutes=10)
"""The last use is noted this often, so that reading does not write at every request."""
_KEY = re.compile(r"freeda_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key allows; each scope includes those before it."""

    READ = "read"
    SUBMIT = "submit"
    ADMINISTER = "administer"

    def includes(self, wanted: "Scope") -> bool:
        """Return whether a key of this scope may do what asks for another."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


class KeyState(StrEnum):
    """Whether a key opens anything."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class KeySummary:
    """A key as it may be shown.

    Attributes:
        id: eight hexadecimal digits, which the key itself begins with.
        name: what it was created for.
        scope: what it allows.
        state: whether it is valid now.
        created_at: when.
        expires_at: from when on it is refused; None for never.
        revoked_at: when it was revoked; None while it is not.
        used_at: when it was last used, to within ten minutes; None for never.
    """

    id: str
    name: str
    scope: Scope
    state: KeyState
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with times in ISO 8601."""
        times = ("created_at", "expires_at", "revoked_at", "used_at")
        moments = {name: moment and moment.isoformat() for name in times for moment in (getattr(self, name),)}
        return {"id": self.id, "name": self.name, "scope": self.scope.value, "state": self.state.value, **moments}


class KeyRefusedError(FreedaError):
    """A key is unknown, expired or revoked."""


def create_key(settings: Settings, name: str, scope: Scope, expires: timedelta | None = None) -> tuple[KeySummary, str]:
    """Create a key.

    Args:
        settings: the installation.
        name: says what the key is for; no other key that is not revoked has it.
        scope: what it allows.
        expires: after how long it is refused; None for never.

    Returns:
        The key's description, and the key itself, which is stored nowhere.

    Raises:
        InputError: the name is not usable or taken, or the time span is not positive.
        UnavailableError: the database does not answer.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InputError(f"a key's name is 1 to {LONGEST_NAME} printable characters, such as laptop or label-studio")
    if expires is not None and expires <= timedelta(0):
        raise InputError("a key that expires at once opens nothing: give a time span such as 90d")
    moment = now()
    secret = secrets.token_urlsafe(32)
    row = ApiKey(
        id=secrets.token_hex(4),
        name=name,
        scope=scope.value,
        digest=_digest(secret),
        created_at=moment,
        expires_at=None if expires is None else moment + expires,
    )
    try:
        with writing(settings) as session:
            session.add(row)
            session.flush()
            summary = _summary(row, moment)
    except IntegrityError as error:
        raise InputError(
            f"there is a key named {name!r} already: revoke it with `freeda keys revoke`, or choose another name"
        ) from error
    return summary, f"{PREFIX}_{row.id}_{secret}"


def list_keys(settings: Settings) -> list[KeySummary]:
    """Return all keys, also expired and revoked ones, the oldest first.

    Raises:
        UnavailableError: the database does not answer.
    """
    moment = now()
    with reading(settings) as session:
        return [_summary(row, moment) for row in session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id))]


def revoke_key(settings: Settings, name_or_id: str) -> KeySummary:
    """Revoke a key, which is refused from then on.

    Raises:
        NotFoundError: no key that is not revoked yet has the name or id.
        UnavailableError: the database does not answer.
    """
    moment = now()
    with writing(settings) as session:
        found = _named(session, name_or_id)
        found.revoked_at = moment
        session.flush()
        return _summary(found, moment)


def find_key(settings: Settings, name_or_id: str) -> KeySummary:
    """Return a key that is not revoked.

    Raises:
        NotFoundError: there is none of this name or id.
        UnavailableError: the database does not answer.
    """
    with reading(settings) as session:
        return _summary(_named(session, name_or_id), now())


def has_valid_key(settings: Settings) -> bool:
    """Return whether anybody can be let in.

    Raises:
        UnavailableError: the database does not answer.
    """
    return any(key.state is KeyState.VALID for key in list_keys(settings))


def verify_key(settings: Settings, key: str) -> KeySummary:
    """Return the description of a key that somebody shows, and note its use.

    Raises:
        KeyRefusedError: it is unknown, expired or revoked.
        UnavailableError: the database does not answer.
    """
    unknown = KeyRefusedError("the key is not known here: `freeda keys create` makes one")
    parts = _KEY.fullmatch(key)
    if parts is None:
        raise unknown
    moment = now()
    with reading(settings) as session:
        row = session.get(ApiKey, parts[1])
        known = hmac.compare_digest(_digest(parts[2]), row.digest if row is not None else _digest(""))
        if row is None or not known:
            raise unknown
        found = _summary(row, moment)
    if found.state is KeyState.REVOKED:
        raise KeyRefusedError(f"the key {found.name!r} was revoked: use another one")
    if found.state is KeyState.EXPIRED:
        raise KeyRefusedError(f"the key {found.name!r} has expired: use another one")
    if found.used_at is None or found.used_at < moment - USE_NOTED_EVERY:
        with noting(settings) as session:
            changed_rows(session, update(ApiKey).where(ApiKey.id == found.id).values(used_at=moment))
    return found


def _named(session: Session, name_or_id: str) -> ApiKey:
    wanted = select(ApiKey).where(or_(ApiKey.name == name_or_id, ApiKey.id == name_or_id))
    # A name comes before an id that happens to be the same.
    found = sorted(session.scalars(wanted.where(ApiKey.revoked_at.is_(None))), key=lambda row: row.name != name_or_id)
    if not found:
        raise NotFoundError(f"there is no valid key {name_or_id!r}; `freeda keys list` shows them")
    return found[0]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _summary(row: ApiKey, moment: datetime) -> KeySummary:
    expired = row.expires_at is not None and row.expires_at <= moment
    valid = KeyState.EXPIRED if expired else KeyState.VALID
    return KeySummary(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        state=KeyState.REVOKED if row.revoked_at is not None else valid,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
