"""Addresses of servers: understood before anything is accepted, and never shown with what opens them.

Every address that a person gives is checked here, so that no library below meets one that it refuses, or reads
otherwise than another one: SQLAlchemy ends a password at the first @ and others at the last, kombu takes what follows
a ; for another server, and what comes after a ? raises errors of all kinds. Every address that is shown goes through
`shown_address`. Whatever of an address is not understood is not shown: it may be a piece of a password.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from freeda_svc.errors import InputError

HIDDEN = "***"
DEFAULT_BANK_PORT = 6333
_ENCODE = "in user and password write / ? # @ : ; and % as %2F %3F %23 %40 %3A %3B and %25"
_BROKER_FORMS = "redis://:PASSWORD@HOST:6379/0, rediss:// for TLS, or unix:///PATH?db=0"
_DATABASE_FORMS = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or sqlite:////PATH"
_SERVER_FORMS = "http://HOST:PORT or https://HOST, such as http://127.0.0.1:8470"
_LABEL_STUDIO_FORMS = "http://HOST:8080 or https://HOST"
_S3_PLACE_FORMS = "a folder, or s3://BUCKET or s3://BUCKET/PREFIX"
_S3_SERVER_FORMS = "http://HOST:PORT or https://HOST, such as http://localhost:9000"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BANK_FORMS = "http://HOST:PORT or https://HOST:PORT, such as http://localhost:6333"
_TLS_OPTIONS = {
    "ssl_cert_reqs": r"none|optional|required",
    "ssl_check_hostname": r"true|false",
    "ssl_ca_certs": r".+",
    "ssl_ca_path": r".+",
    "ssl_certfile": r".+",
    "ssl_keyfile": r".+",
    "ssl_password": r".+",
}
_HARMLESS_OPTIONS = (_TLS_OPTIONS.keys() - {"ssl_password"}) | {
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding", "gssencmode", "target_session_attrs"),
    *("host", "port", "db", "connect_timeout", "application_name"),
}
_HARMLESS_VALUE = re.compile(r"[\w./,:+~-]*")
_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^\s:/?#@]*)(?P<password>:[^/?#]*)?@)?"
    rf"(?P<place>{_HOST})?"
    r"(?P<path>/[^\s?#@]*)?"
    r"(?:\?(?P<query>[^\s#@]*))?"
)
_FILE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?|unix|file)://(?P<path>/[^?\n]*)(?:\?(?P<query>[^\s#@]*))?")
_IN_TEXT = re.compile(r"(?P<address>[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*?)(?P<after>[.,;:)\]}]*(?=[\s'\"<>]|$))")


def shown_address(address: str) -> str:
    """Return an address as it may be shown: without passwords, keys, and whatever is not understood.

    >>> shown_address("rediss://me:sesame@host:6379/0?ssl_cert_reqs=none&ssl_password=sesame")
    'rediss://me:***@host:6379/0?ssl_cert_reqs=none&ssl_password=***'
    >>> shown_address("redis://:ses/ame@host:6379/0")
    'redis://***'
    >>> shown_address("sesame")
    '***'
    """
    if not address:
        return ""
    parts = _FILE.fullmatch(address) or _PARTS.fullmatch(address)
    if parts is None:
        scheme, separator, _ = address.partition("://")
        return f"{scheme}://{HIDDEN}" if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else HIDDEN
    found = parts.groupdict(default="")
    opens = ""
    if found.get("password"):
        opens = f"{found['user']}:{HIDDEN}@"
    elif found.get("user"):  # a password without its colon, more often than not
        opens = f"{HIDDEN}@"
    query = "&".join(_shown_option(option) for option in found["query"].split("&") if option)
    return f"{found['scheme']}://{opens}{found.get('place', '')}{found['path']}" + (f"?{query}" if query else "")


def hide_in_text(text: str) -> str:
    """Return a text in which every address is as `shown_address` shows it."""
    return _IN_TEXT.sub(lambda found: shown_address(found["address"]) + found["after"], text)


def secrets_of_address(address: str) -> set[str]:
    """Return what may not be shown of an address, as it is written and as it is meant; all of it if not understood."""
    parts = _FILE.fullmatch(address) or _PARTS.fullmatch(address)
    if parts is None:
        return {address} - {""}
    found = parts.groupdict(default="")
    written = {found.get("password", "")[1:], *(() if found.get("password") else (found.get("user", ""),))}
    options = {value for name, value in parse_qsl(found["query"]) if name not in _HARMLESS_OPTIONS}
    return {*written, *(unquote(secret) for secret in written), *options} - {""}


def check_broker_address(address: str) -> str:
    """Return the address of a Redis-compatible server.

    Raises:
        InputError: the libraries that carry messages do not take it, or not alike. It is not shown.
    """
    about = "broker_url"
    parts = _split(about, address, _BROKER_FORMS)
    if ";" in address:  # kombu takes what follows for another server
        raise InputError(f"{about} holds a ;, but only one server can be given: {_ENCODE}")
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            raise InputError(f"{about} names no socket: expected unix:///PATH, such as unix:///run/redis.sock?db=0")
        _check_options(about, parts, {"db": r"[0-9]{1,5}"}, "only db=NUMBER is taken")
        return address
    if parts.scheme not in {"redis", "rediss"}:
        raise InputError(f"{about} has a scheme that is not supported: expected {_BROKER_FORMS}")
    _check_host(about, parts, _BROKER_FORMS)
    if not re.fullmatch(r"/?|/[0-9]{1,5}", parts.path):
        raise InputError(f"{about} must end with the number of a database, such as redis://HOST:6379/0")
    number = {"db": r"[0-9]{1,5}"}
    if parts.scheme == "rediss":
        _check_options(about, parts, {**number, **_TLS_OPTIONS}, f"taken are db, {', '.join(_TLS_OPTIONS)}")
    else:
        _check_options(about, parts, number, "only db=NUMBER is taken; TLS is rediss://")
    return address


def check_database_address(address: str) -> str:
    """Return the address of a database with its driver; the file of SQLite as an absolute path.

    Raises:
        InputError: it is none of PostgreSQL or SQLite, or has parts that those do not take. It is not shown.
    """
    about = "database_url"
    parts = _split(about, address, _DATABASE_FORMS)
    backend, _, driver = parts.scheme.partition("+")
    if backend == "sqlite" and driver in {"", "pysqlite"}:
        return _sqlite_address(about, parts)
    if backend not in {"postgresql", "postgres"} or driver not in {"", "psycopg"}:
        raise InputError(f"{about} has a scheme that is not supported: expected {_DATABASE_FORMS}")
    if parts.netloc.rpartition("@")[2]:  # without a host it is the server's own socket
        _check_host(about, parts, _DATABASE_FORMS)
    # SQLAlchemy ends a password at the first @, others at the last.
    if parts.netloc.count("@") > 1 or "@" in parts.path:
        raise InputError(f"{about} has more than one @: expected {_DATABASE_FORMS}; {_ENCODE}")
    _check_options(about, parts, _postgresql_options(), "taken are those of libpq, such as sslmode=verify-full")
    return f"postgresql+psycopg{address[address.index('://') :]}"


def check_bank_address(address: str) -> str:
    """Return scheme, host, port and path of a Qdrant server, with the default port filled in.

    Raises:
        InputError: it is no such address, or holds a user, password or key. It is not shown.
    """
    parts = _http_parts("the address of the bank's server (qdrant_url)", address, _BANK_FORMS, key="qdrant_api_key")
    port = "" if parts.port is not None else f":{DEFAULT_BANK_PORT}"
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{port}{parts.path.rstrip('/')}"


def check_server_address(address: str) -> str:
    """Return the address of a server of freeda, without a slash at its end.

    Raises:
        InputError: it is no such address, or holds a user, password or key. It is not shown.
    """
    parts = _http_parts("the address of the server", address.strip(), _SERVER_FORMS, key="server_key")
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{parts.path.rstrip('/')}"


def check_access_key(key: str) -> str:
    """Return a key of a server of freeda as it is sent; empty where there is none.

    Raises:
        InputError: it cannot be one. It is not shown.
    """
    text = key.strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise InputError(
            "the key for the server (server_key) holds characters that no key has (it is not shown): give it as "
            "`freeda keys create` printed it"
        )
    return text


def check_label_studio_address(address: str) -> str:
    """Return the address of a Label Studio server, without a slash at its end.

    Raises:
        InputError: it is no such address, or holds a user, password or token. It is not shown.
    """
    about = "the address of the Label Studio server (label_studio_url)"
    parts = _http_parts(about, address, _LABEL_STUDIO_FORMS, key="label_studio_token")
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{parts.path.rstrip('/')}"


def check_artifacts_in_bucket(place: str) -> str:
    """Return ``s3://BUCKET/PREFIX``, without a slash at its end.

    Raises:
        InputError: it is no such place, or holds a user, password or key. It is not shown.
    """
    parts = _split("artifacts", place, _S3_PLACE_FORMS)
    if parts.scheme != "s3":
        raise InputError(f"artifacts is an address whose scheme is not s3: expected {_S3_PLACE_FORMS}")
    if "@" in parts.netloc or parts.query:
        raise InputError(
            "artifacts was given with a user, password or key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
            f"expected {_S3_PLACE_FORMS}"
        )
    if not _BUCKET.fullmatch(parts.netloc):
        raise InputError(
            "artifacts names no bucket: its name has 3 to 63 lower-case letters, digits, dots and -, which begins and "
            f"ends with a letter or digit; expected {_S3_PLACE_FORMS}"
        )
    prefix = [part for part in parts.path.split("/") if part]
    if any(part in {".", ".."} or not re.fullmatch(r"[A-Za-z0-9._-]+", part) for part in prefix):
        raise InputError("artifacts has a prefix with other characters than letters, digits, dots, - and _")
    return "/".join([f"s3://{parts.netloc}", *prefix])


def check_s3_server_address(address: str) -> str:
    """Return the address of a server of S3-compatible storage, without a slash at its end.

    Raises:
        InputError: it is no such address, or holds a user, password or key. It is not shown.
    """
    about = "the address of the S3-compatible storage (s3_endpoint)"
    parts = _http_parts(about, address, _S3_SERVER_FORMS, key="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{parts.path.rstrip('/')}"


def check_path(about: str, path: str) -> str:
    """Return a path that can be a folder's or file's.

    Raises:
        InputError: it is an address, or has no UTF-8 name, which databases and messages cannot hold.
    """
    if "://" in path or re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", path):  # pathlib makes one slash of two
        raise InputError(f"{about} must be a folder on this machine, not an address")
    if not _is_utf8(path) or "\0" in path:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise InputError(f"{about} has a name that is not UTF-8 text ({shown}): give it another one")
    return path


def _sqlite_address(about: str, parts: SplitResult) -> str:
    expected = "expected sqlite:////PATH, such as sqlite:////var/lib/freeda/jobs.sqlite"
    if parts.netloc or parts.query:
        raise InputError(f"{about} gives a host or options, but a SQLite file takes none: {expected}")
    file = parts.path[1:]
    if not file or file.startswith((":", "file:")):
        raise InputError(f"{about} names no file, so jobs would be lost: {expected}")
    # Another process that reads it may work in another folder.
    return f"sqlite:///{Path(os.path.abspath(file))}"  # noqa: PTH100 - links are kept as the person wrote them


def _postgresql_options() -> dict[str, str]:
    try:
        from psycopg.pq import Conninfo  # noqa: PLC0415 - of an extra, and seldom needed
    except ImportError as error:
        raise InputError("database_url needs psycopg: pip install 'freeda-svc[server]'") from error
    return {option.keyword.decode("ascii"): r".*" for option in Conninfo.get_defaults()}


def _shown_option(option: str) -> str:
    name, separator, value = option.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z_-]+", name):
        return HIDDEN
    return option if name in _HARMLESS_OPTIONS and _HARMLESS_VALUE.fullmatch(unquote(value)) else f"{name}={HIDDEN}"


def _split(about: str, address: str, expected: str) -> SplitResult:
    """Take an address apart; what `urlsplit` would pass over in silence is refused."""
    if "://" not in address:
        raise InputError(
            f"{about} is no address (what was given is not shown: it may be a password): expected {expected}"
        )
    if not address.isprintable() or not _is_utf8(address):
        raise InputError(f"{about} holds a character that cannot be printed: write it as % and two digits")
    try:
        parts = urlsplit(address)
        is_usable = parts.port != 0 and "#" not in address
    except ValueError:
        is_usable = False
    if not is_usable:
        raise InputError(
            f"{about} has a port that is no number from 1 to 65535, or a password with characters that must be "
            f"encoded: expected {expected}; {_ENCODE}"
        )
    return parts


def _http_parts(about: str, address: str, expected: str, *, key: str) -> SplitResult:
    """Take the address of an HTTP server apart; its key is the setting ``key``."""
    parts = _split(about, address, expected)
    if parts.scheme not in {"http", "https"}:
        raise InputError(f"{about} has no http scheme: expected {expected}")
    if "@" in parts.netloc or parts.query:
        raise InputError(
            f"{about} was given with a user, password or key: give the key by itself as {key}; expected {expected}"
        )
    _check_host(about, parts, expected)
    return parts


def _check_host(about: str, parts: SplitResult, expected: str) -> None:
    """See that a host stands where one is expected, and nothing that was torn out of a password."""
    if not re.fullmatch(_HOST, parts.netloc.rpartition("@")[2].rstrip(":")) or "@" in parts.path + parts.query:
        raise InputError(
            f"{about} has no host, or a password with characters that must be encoded: expected {expected}; {_ENCODE}"
        )


def _check_options(about: str, parts: SplitResult, known: Mapping[str, str], taken: str) -> None:
    """See that what follows the ? is known: the libraries raise errors of all kinds for it, and some say nothing."""
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            given = f"the option {name}" if value and re.fullmatch(r"[a-z_-]{1,30}", name) else "something"
            raise InputError(f"{about} gives {given} after its ?: {taken}")
        if not re.fullmatch(known[name], value):
            raise InputError(f"{about}: the option {name} must be {known[name].replace('|', ' or ')}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
