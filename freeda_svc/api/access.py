"""Who may do what: a key and its scope, which each route asks for.

The guard `authenticated` finds out who asks, before a body is read; the routes' dependencies compare scopes.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security.http import HTTPBase

from freeda_svc.api.problems import ProblemError
from freeda_svc.errors import InputError
from freeda_svc.host_lists import is_loopback
from freeda_svc.jobs import KeyRefusedError, Scope, check_key, has_valid_key, verify_key
from freeda_svc.settings import Settings

CHALLENGES = {"WWW-Authenticate": 'Bearer realm="freeda_svc", Basic realm="freeda_svc", charset="UTF-8"'}
ACCESS = "access"
"""Where a request's state has it."""
LONGEST_KEPT = 200
CANNOT_SIGN = (
    "callback_hosts lists hosts, but callback_secret is not set: set it to a long random text, such as the output of "
    "`openssl rand -hex 32`"
)
_MISSING = "this needs a key: send `Authorization: Bearer KEY`, or Basic with the key as the password"


@dataclass(frozen=True)
class Access:
    """What the client of a request may do.

    Attributes:
        scope: what is allowed.
        key_id: of its key; empty where none is needed and none was given.
        name: of its key; likewise.
    """

    scope: Scope
    key_id: str = ""
    name: str = ""


def keys_needed(settings: Settings) -> bool:
    """Return whether requests need a key: at any address but a loopback one, or where the settings say so."""
    return settings.api_keys == "always" or not is_loopback(settings.api_host)


def check_access(settings: Settings) -> None:
    """See that a server may start: somebody can be let in, and what it sends can be signed.

    Raises:
        InputError: keys are needed, and no valid one exists; or callbacks are allowed, and there is no secret for them.
        UnavailableError: the database does not answer.
    """
    if settings.callback_hosts and not settings.callback_secret:
        raise InputError(CANNOT_SIGN)
    if keys_needed(settings) and not has_valid_key(settings):
        why = "api_keys is always" if settings.api_keys == "always" else f"api_host is {settings.api_host}"
        raise InputError(
            f"the API needs keys ({why}) and there is no valid one: create one with "
            "`freeda keys create NAME --scope administer`, or let it answer at 127.0.0.1 only"
        )


def access_of(settings: Settings, authorization: str | None) -> Access | None:
    """Return what the client may do who sends an ``Authorization`` header; None without one where keys are needed.

    Raises:
        ProblemError: the header holds no valid key (401).
        UnavailableError: the database does not answer.
    """
    if authorization is None:
        return None if keys_needed(settings) else Access(Scope.ADMINISTER)
    try:
        found = verify_key(settings, _key_in(authorization))
    except KeyRefusedError as error:
        raise ProblemError(401, str(error), CHALLENGES) from error
    return Access(found.scope, found.id, found.name)


def missing_key() -> ProblemError:
    """Return the error for a request without a key that needs one."""
    return ProblemError(401, _MISSING, CHALLENGES)


def own_idempotency_key(access: Access, key: str) -> str:
    """Return an idempotency key as it is stored: those of different API keys never meet.

    Args:
        access: of the client.
        key: its own name for the request; empty for none.

    Raises:
        InputError: the key is too long, or not of printable characters.
    """
    checked = check_key(key)
    if not checked or not access.key_id:
        return checked
    own = f"{access.key_id}:{checked}"
    return own if len(own) <= LONGEST_KEPT else f"{access.key_id}:{hashlib.sha256(checked.encode()).hexdigest()}"


def _key_in(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ProblemError(401, "the Basic Authorization header cannot be decoded", CHALLENGES) from None
        return password or user
    raise ProblemError(401, f"the Authorization header is not understood; {_MISSING}", CHALLENGES)


_bearer = HTTPBase(scheme="bearer", scheme_name="key", description="A key of `freeda keys create`.", auto_error=False)
_basic = HTTPBase(
    scheme="basic", scheme_name="keyAsPassword", description="The key as password, with any user.", auto_error=False
)


def _at_least(wanted: Scope) -> Callable[..., Access]:
    def allowed(
        request: Request, _documented: Annotated[object, Depends(_bearer)], _also: Annotated[object, Depends(_basic)]
    ) -> Access:
        access = cast("Access | None", getattr(request.state, ACCESS, None))
        if access is None:
            raise missing_key()
        if not access.scope.includes(wanted):
            raise ProblemError(
                403, f"the key {access.name!r} allows to {access.scope}, but this needs one that allows to {wanted}"
            )
        return access

    return allowed


Reader = Annotated[Access, Depends(_at_least(Scope.READ))]
Submitter = Annotated[Access, Depends(_at_least(Scope.SUBMIT))]
Administrator = Annotated[Access, Depends(_at_least(Scope.ADMINISTER))]
"""Types of a route's parameter that says who may use it."""
