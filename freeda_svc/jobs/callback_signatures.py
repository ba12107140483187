"""Signatures of callbacks, as the Standard Webhooks specification has them (https://www.standardwebhooks.com).

Every API key has a secret of its own, derived from the setting ``callback_secret``: who receives the callbacks of one
key cannot sign those of another, and the database holds no secret.
"""

import base64
import hashlib
import hmac

from freeda_svc.settings import Settings

SECRET_PREFIX = "whsec_"  # noqa: S105 - how such secrets are written
_SIGNATURE_VERSION = "v1"


def callback_secret_of(settings: Settings, key_id: str = "") -> str:
    """Return the secret that signs the callbacks of an API key, as receivers' libraries take it.

    Args:
        settings: the installation, with a ``callback_secret``.
        key_id: of the key; empty for submissions without one.
    """
    return SECRET_PREFIX + base64.b64encode(_secret(settings, key_id)).decode()


def signed_headers(settings: Settings, key_id: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that let a receiver check who has sent a body, and when.

    Args:
        settings: the installation, with a ``callback_secret``.
        key_id: of the API key that the job was submitted with; empty without one.
        message_id: the same whenever the same is sent again.
        timestamp: seconds since 1970.
        body: as it is sent.
    """
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    signature = base64.b64encode(hmac.digest(_secret(settings, key_id), signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"{_SIGNATURE_VERSION},{signature}",
    }


def _secret(settings: Settings, key_id: str) -> bytes:
    return hmac.digest(settings.callback_secret.encode(), f"callbacks of key {key_id}".encode(), hashlib.sha256)
