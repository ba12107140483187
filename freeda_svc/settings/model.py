"""The settings of an installation: what each means, what it may be, and where the home keeps things."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from freeda_svc.addresses import (
    check_access_key,
    check_artifacts_in_bucket,
    check_bank_address,
    check_broker_address,
    check_database_address,
    check_label_studio_address,
    check_path,
    check_s3_server_address,
    check_server_address,
)
from freeda_svc.errors import InputError
from freeda_svc.host_lists import check_hosts
from freeda_svc.input_files import MOST_ALLOWED_PIXELS, MOST_PIXELS, InputRules
from freeda_svc.parameters import CALLED, EXPECTED, WRITE_ONLY

DEFAULT_HOME = Path("~/.freeda")
ENVIRONMENT_PREFIX = "FREEDA_"
ARTIFACTS = "artifacts"
ARTIFACT_COPIES = "artifact-copies"
S3_SCHEME = "s3://"
PACKS = "packs"
SECRETS = ("broker_url", "database_url", "qdrant_api_key", "callback_secret", "label_studio_token", "server_key")
"""Settings that hold passwords: never printed, and readable from a file that ``FREEDA_<NAME>_FILE`` names."""

SHORTEST_SECRET = 16
"""Characters of ``callback_secret``."""

_BANK: dict[str, Any] = {EXPECTED: "lower-case letters, digits, - and _, perhaps with a version: animals or animals@2"}
_WORKER: dict[str, Any] = {EXPECTED: "up to 64 letters, digits, dots, - and _, such as gpu-1"}
_DEVICE: dict[str, Any] = {EXPECTED: "auto, cpu, mps, cuda, or cuda: and a number, such as cuda:1"}
_SECRET: dict[str, Any] = {WRITE_ONLY: True}


class Settings(BaseModel):
    """One installation: its home folder and how it works.

    Keywords win over the environment, the environment over the TOML file, that over the defaults.
    Make it with :func:`load_settings`, which turns mistakes into one line.

    Attributes:
        home: the folder that holds everything the installation keeps.
        pack: name, folder or recipe of the model pack; a path is made absolute.
        packs: the folder of packs that were fetched; empty means ``packs`` in the home.
        bank: name of the bank that is meant where none is named, as in ``animals`` or ``animals@2``.
        input_roots: the folders that images, masks, annotations, captions, lists of images and archives may be taken
            from, separated by colons (semicolons on Windows), links followed; empty means anywhere.
        max_image_pixels: images with more pixels are refused; a pixel takes up to 20 bytes of memory.
        qdrant_url: address of a Qdrant server that keeps the banks; empty means embedded ones in the home.
        qdrant_api_key: of that server; empty when it asks for none.
        search: how the nearest keys are found: ``exact``, or approximately by a ``graph`` (HNSW), or by one whose
            candidates are first compared ``quantized`` to one byte a value.
        search_depth: how many candidates an approximate search keeps; deeper is slower and misses less.
        broker_url: Redis address of the message broker, such as ``redis://HOST:6379/0`` or ``unix:///PATH``; empty
            means the embedded one of the home.
        database_url: SQLAlchemy address of the database of jobs; empty means a SQLite file in the home.
        server: address of a server of freeda, such as ``http://HOST:8470``, that commands ask in the place of this
            machine's own installation; empty means this machine.
        server_key: that the server asks for; it is sent to it only.
        device: ``auto`` (a GPU where there is one), or a torch device such as ``cpu`` or ``cuda:1``.
        precision: ``auto`` (the generator in half precision on a GPU), or that of all models.
        encoder_runtime: ``torch``, or ``openvino``, which computes the encoders faster on processors.
        channels_last: whether the generator's convolutions read pixels before channels, which some GPUs prefer.
        windows_at_once: how many windows of images go through the encoders together; 0 is by their sizes and the
            device.
        captions_per_item: how many captions make one work item.
        max_attempts: how often an item is tried before it counts as failed.
        artifacts: the folder of inputs and results, which all workers and clients share, or ``s3://BUCKET/PREFIX`` of
            an S3-compatible storage; empty means ``artifacts`` in the home.
        s3_endpoint: address of that storage, such as ``http://HOST:9000``; empty means the one that
            ``AWS_ENDPOINT_URL`` names, or Amazon's. Its access key comes from ``AWS_ACCESS_KEY_ID`` and
            ``AWS_SECRET_ACCESS_KEY``, or from where else Amazon's tools look for one.
        artifacts_cache_bytes: of artifacts in a bucket about so many bytes are kept in the home, the last used ones.
        worker_name: of the worker on this machine; several on one machine need a name each. The host's name when empty.
        metrics_port: where a worker tells Prometheus its numbers; 0 means nowhere.
        metrics_host: the address it listens at.
        api_port: where `freeda up` and `freeda serve` answer HTTP requests; 0 means nowhere.
        api_host: the address they listen at; any but a loopback address asks for keys.
        api_names: host names, separated by commas, under which browsers and clients may ask, beside the address itself.
        api_keys: whether requests need a key of `freeda keys`: ``auto`` means at any address but a loopback one.
        api_max_body_bytes: a request's body may have as many bytes.
        api_max_requests: how many requests are answered at once, and half as many more connections are kept; further
            ones are asked to come again.
        callback_hosts: hosts, separated by commas, to which the end of a job may be posted, each perhaps with a port
            as in ``hooks.example.org:8443``. Private addresses only with a port. Empty means none.
        callback_secret: from which the secrets that sign callbacks are derived; needed for callbacks.
        image_hosts: hosts, written as above, that images may be fetched from which a request names by URL.
        label_studio_url: address of the Label Studio server whose tasks are predicted, where it serves their images.
        label_studio_token: of a user there; sent to that server only.
        label_studio_files: the folder that Label Studio serves as its local files, where this server sees it, too;
            images are then read from there.
        label_studio_teaches: whether what annotators draw in Label Studio is added to the bank.
        lease_seconds: how long a worker may be silent before its item is given to another.
        item_time_limit_seconds: an item that takes longer is stopped and tried again.
        stop_grace_seconds: how long a stopping worker waits for the current item before it hands it back.
        reconcile_seconds: how often lost messages and expired leases are looked for.
        query_timeout_seconds: how long a question to the worker's bank may take.
        log_format: of the console: ``console`` for people, ``json`` for machines. The log file is always JSON.
        keep_log: whether the log is also written to the home; in a container the console is enough.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, json_schema_extra={CALLED: "setting"})

    home: Path = DEFAULT_HOME
    pack: Annotated[str, Field(min_length=1)] = "miniature"
    packs: str = ""
    bank: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]{0,8})?$", json_schema_extra=_BANK)] = (
        "default"
    )
    input_roots: str = ""
    max_image_pixels: Annotated[int, Field(ge=1, le=MOST_ALLOWED_PIXELS)] = MOST_PIXELS
    qdrant_url: str = ""
    qdrant_api_key: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    search: Literal["exact", "graph", "quantized"] = "exact"
    search_depth: Annotated[int, Field(ge=1)] = 1000
    broker_url: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    database_url: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    artifacts: str = ""
    s3_endpoint: str = ""
    artifacts_cache_bytes: Annotated[int, Field(ge=0)] = 1024**3
    worker_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$", json_schema_extra=_WORKER)] = ""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8470
    api_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    api_names: str = ""
    api_keys: Literal["auto", "always"] = "auto"
    api_max_body_bytes: Annotated[int, Field(ge=1024)] = 1024**3
    api_max_requests: Annotated[int, Field(ge=1, le=10_000)] = 200
    callback_hosts: str = ""
    callback_secret: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    image_hosts: str = ""
    server: str = ""
    server_key: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    label_studio_url: str = ""
    label_studio_token: Annotated[str, Field(repr=False, json_schema_extra=_SECRET)] = ""
    label_studio_files: str = ""
    label_studio_teaches: bool = False
    device: Annotated[str, Field(pattern=r"^(cpu|auto|mps|cuda(:\d+)?)$", json_schema_extra=_DEVICE)] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    encoder_runtime: Literal["torch", "openvino"] = "torch"
    channels_last: bool = False
    windows_at_once: Annotated[int, Field(ge=0, le=1024)] = 0
    captions_per_item: Annotated[int, Field(ge=1, le=4096)] = 8
    max_attempts: Annotated[int, Field(ge=1)] = 3
    lease_seconds: Annotated[float, Field(gt=0)] = 60.0
    item_time_limit_seconds: Annotated[float, Field(ge=1)] = 3600.0
    stop_grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    reconcile_seconds: Annotated[float, Field(gt=0)] = 5.0
    query_timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    log_format: Literal["console", "json"] = "console"
    keep_log: bool = True

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        return absolute_path(Path(_checked(check_path, "home", str(home))))

    @field_validator("pack")
    @classmethod
    def _absolute_pack(cls, pack: str) -> str:
        is_path = "/" in pack or os.sep in pack or pack.endswith(".toml")
        return str(absolute_path(Path(_checked(check_path, "pack", pack)))) if is_path else pack

    @field_validator("input_roots")
    @classmethod
    def _absolute_roots(cls, roots: str) -> str:
        if "://" in roots:
            _checked(check_path, "input_roots", roots)
        checked = (_checked(check_path, "input_roots", root) for root in roots.split(os.pathsep) if root)
        return os.pathsep.join(str(absolute_path(Path(root))) for root in checked)

    @field_validator("artifacts")
    @classmethod
    def _folder_or_bucket(cls, place: str) -> str:
        if "://" in place:
            return _checked(check_artifacts_in_bucket, place.strip())
        return place and str(absolute_path(Path(_checked(check_path, "artifacts", place))))

    @field_validator("packs", "label_studio_files")
    @classmethod
    def _absolute_folder(cls, folder: str, given: ValidationInfo) -> str:
        return folder and str(absolute_path(Path(_checked(check_path, str(given.field_name), folder))))

    @field_validator("broker_url", "database_url", "qdrant_url", "label_studio_url", "s3_endpoint")
    @classmethod
    def _understood_address(cls, address: str, given: ValidationInfo) -> str:
        """What no library below would take is refused here, before anything is accepted."""
        checks = {
            "broker_url": check_broker_address,
            "database_url": check_database_address,
            "label_studio_url": check_label_studio_address,
            "s3_endpoint": check_s3_server_address,
        }
        check = checks.get(str(given.field_name), check_bank_address)
        return _checked(check, address.strip()) if address.strip() else ""

    @field_validator("server")
    @classmethod
    def _understood_server(cls, address: str) -> str:
        return _checked(check_server_address, address) if address.strip() else ""

    @field_validator("server_key")
    @classmethod
    def _sendable_key(cls, key: str) -> str:
        return _checked(check_access_key, key)

    @field_validator("api_names", "callback_hosts", "image_hosts")
    @classmethod
    def _understood_hosts(cls, hosts: str, given: ValidationInfo) -> str:
        about = str(given.field_name)
        return _checked(lambda text: check_hosts(about, text, ports=about != "api_names"), hosts)

    @field_validator("callback_secret")
    @classmethod
    def _long_secret(cls, secret: str) -> str:
        if secret and len(secret) < SHORTEST_SECRET:
            raise ValueError(f"callback_secret must have {SHORTEST_SECRET} characters or more; it is not shown")
        return secret

    @property
    def input_rules(self) -> InputRules:
        """Where files may be taken from, and how large images may be."""
        folders = tuple(Path(root) for root in self.input_roots.split(os.pathsep) if root)
        return InputRules(folders, self.max_image_pixels)

    @property
    def packs_folder(self) -> Path:
        """Packs that were fetched."""
        return Path(self.packs) if self.packs else self.home / PACKS

    @property
    def banks_folder(self) -> Path:
        """The embedded banks of prototypes; not used when ``qdrant_url`` names a server."""
        return self.home / "banks"

    @property
    def artifacts_on_s3(self) -> bool:
        """Whether inputs, results and thumbnails are in a bucket."""
        return self.artifacts.startswith(S3_SCHEME)

    @property
    def artifacts_folder(self) -> Path:
        """Inputs, results and thumbnails: what is too big for the database; of those in a bucket, copies."""
        if self.artifacts_on_s3:
            return self.home / ARTIFACT_COPIES
        return Path(self.artifacts) if self.artifacts else self.home / ARTIFACTS

    @property
    def embedded_bank(self) -> bool:
        """Whether the banks are embedded ones of the home, which one process owns."""
        return not self.qdrant_url

    @property
    def one_worker_only(self) -> bool:
        """Whether the home can have one worker only: banks and broker of its own are one process's."""
        return self.embedded_bank or self.embedded_broker

    @property
    def resolved_worker_name(self) -> str:
        """The worker's name with the default filled in."""
        return self.worker_name or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64]

    @property
    def database_file(self) -> Path:
        """The embedded database; not used when ``database_url`` names another."""
        return self.home / "jobs.sqlite"

    @property
    def embedded_database(self) -> bool:
        """Whether the database is the SQLite file of the home."""
        return not self.database_url

    @property
    def embedded_broker(self) -> bool:
        """Whether the broker is the embedded one of the home."""
        return not self.broker_url

    @property
    def broker_folder(self) -> Path:
        """Files of the embedded broker: its append-only file, log and address."""
        return self.home / "broker"

    @property
    def logs_folder(self) -> Path:
        """Log files."""
        return self.home / "logs"

    @property
    def log_file(self) -> Path:
        """What the worker tells, one JSON object a line."""
        return self.logs_folder / f"{self._worker_stem}.log"

    @property
    def uploads_folder(self) -> Path:
        """Files of HTTP requests, for as long as these take."""
        return self.home / "uploads"

    @property
    def submissions_folder(self) -> Path:
        """Names of requests to servers whose answers have not come."""
        return self.home / "submissions"

    @property
    def locks_folder(self) -> Path:
        """Lock files."""
        return self.home / "locks"

    @property
    def worker_lock(self) -> Path:
        """Held by the one worker of the home, or by the one of its name, while it lives."""
        return self.locks_folder / f"{self._worker_stem}.lock"

    @property
    def _worker_stem(self) -> str:
        return "worker" if self.one_worker_only else f"worker-{self.resolved_worker_name}"

    def as_environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process that is started with them: secrets, too."""
        return {f"{ENVIRONMENT_PREFIX}{name.upper()}": str(value) for name, value in self.model_dump().items()}


def _checked(check: Callable[..., str], *given: str) -> str:
    """Say what is wrong in the way that pydantic hands on, which adds where the value came from."""
    try:
        return check(*given)
    except InputError as error:
        raise ValueError(str(error)) from error


def absolute_path(path: Path) -> Path:
    """Return a path as an absolute one, with the home directory filled in and links kept."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links are kept as the person wrote them
