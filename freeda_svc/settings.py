"""What an installation can be told: from keywords, the environment (``FREEDA_*``) and ``<home>/freeda.toml``.

Secrets may also stand in files of their own, which the environment names: ``FREEDA_DATABASE_URL_FILE`` and so on.
Where ``FREEDA_DATABASE_URL`` is set, too, it wins.
"""

import os
import re
import socket
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from freeda_svc.addresses import check_bank_address, check_broker_address, check_database_address, check_path
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.input_files import MOST_ALLOWED_PIXELS, MOST_PIXELS, InputRules
from freeda_svc.loggers import logger
from freeda_svc.parameters import CALLED, EXPECTED, WRITE_ONLY, first_of, sentence_of
from freeda_svc.private_folders import make_private_folder, narrow_folder
from freeda_svc.text_files import read_text

DEFAULT_HOME = Path("~/.freeda")
ENVIRONMENT_PREFIX = "FREEDA_"
TOML_NAME = "freeda.toml"
ARTIFACTS = "artifacts"
PACKS = "packs"
SECRETS = ("broker_url", "database_url", "qdrant_api_key")
"""Settings that hold passwords: never printed, and readable from a file that ``FREEDA_<NAME>_FILE`` names."""
FILE_SUFFIX = "_FILE"
FLAG, ENVIRONMENT, OWN_FILE, FILE = "flag", "environment", "own file", "file"
"""Where a setting's value may come from, beside its default."""


_BANK: dict[str, Any] = {EXPECTED: "lower-case letters, digits, - and _, perhaps with a version: animals or animals@2"}
_WORKER: dict[str, Any] = {EXPECTED: "up to 64 letters, digits, dots, - and _, such as gpu-1"}
_DEVICE: dict[str, Any] = {EXPECTED: "auto, cpu, mps, cuda, or cuda: and a number, such as cuda:1"}
_SECRET: dict[str, Any] = {WRITE_ONLY: True}

log = logger(__name__)


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
        device: ``auto`` (a GPU where there is one), or a torch device such as ``cpu`` or ``cuda:1``.
        precision: ``auto`` (the generator in half precision on a GPU), or that of all models.
        captions_per_item: how many captions make one work item.
        max_attempts: how often an item is tried before it counts as failed.
        artifacts: the folder of inputs and results, which all workers and clients share; empty means ``artifacts`` in
            the home.
        worker_name: of the worker on this machine; several on one machine need a name each. The host's name when empty.
        metrics_port: where a worker tells Prometheus its numbers; 0 means nowhere.
        metrics_host: the address it listens at.
        api_port: where `freeda up` and `freeda serve` answer HTTP requests; 0 means nowhere.
        api_host: the address they listen at; any but a loopback address asks for keys.
        api_names: host names, separated by commas, under which browsers and clients may ask, beside the address itself.
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
    worker_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$", json_schema_extra=_WORKER)] = ""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8470
    api_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    api_names: str = ""
    device: Annotated[str, Field(pattern=r"^(cpu|auto|mps|cuda(:\d+)?)$", json_schema_extra=_DEVICE)] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
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
        return _absolute(Path(_checked(check_path, "home", str(home))))

    @field_validator("pack")
    @classmethod
    def _absolute_pack(cls, pack: str) -> str:
        is_path = "/" in pack or os.sep in pack or pack.endswith(".toml")
        return str(_absolute(Path(_checked(check_path, "pack", pack)))) if is_path else pack

    @field_validator("input_roots")
    @classmethod
    def _absolute_roots(cls, roots: str) -> str:
        if "://" in roots:
            _checked(check_path, "input_roots", roots)
        checked = (_checked(check_path, "input_roots", root) for root in roots.split(os.pathsep) if root)
        return os.pathsep.join(str(_absolute(Path(root))) for root in checked)

    @field_validator("packs", "artifacts")
    @classmethod
    def _absolute_folder(cls, folder: str, given: ValidationInfo) -> str:
        return folder and str(_absolute(Path(_checked(check_path, str(given.field_name), folder))))

    @field_validator("broker_url", "database_url", "qdrant_url")
    @classmethod
    def _understood_address(cls, address: str, given: ValidationInfo) -> str:
        """What no library below would take is refused here, before anything is accepted."""
        checks = {"broker_url": check_broker_address, "database_url": check_database_address}
        check = checks.get(str(given.field_name), check_bank_address)
        return _checked(check, address.strip()) if address.strip() else ""

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
    def artifacts_folder(self) -> Path:
        """Inputs, results and thumbnails: what is too big for the database."""
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


def setting_sources(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what each source says, by what the source is called, the strongest first.

    They are what was given, the environment, the files of secrets that the environment names, and the TOML file of the
    home that the first two name.

    Raises:
        InputError: a file cannot be used.
        OSError, TOMLDecodeError: the TOML file cannot be read.
    """
    environment = named_in_environment()
    home = given.get("home") or environment.get("home") or DEFAULT_HOME
    file = _settings_file(_absolute(Path(home)) / TOML_NAME)
    return {FLAG: dict(given), ENVIRONMENT: environment, OWN_FILE: _own_files(), FILE: file}


def named_in_environment() -> dict[str, Any]:
    """Return the settings that the environment names, as text."""
    found = {name.lower(): value for name, value in os.environ.items()}
    named = {name: f"{ENVIRONMENT_PREFIX}{name}".lower() for name in Settings.model_fields}
    return {name: found[variable] for name, variable in named.items() if variable in found}


def _settings_file(file: Path) -> dict[str, Any]:
    """Read a TOML file, which may begin with a byte order mark, as editors on Windows write it."""
    found = tomllib.loads(read_text(file, f"{TOML_NAME} of the home")) if file.is_file() else {}
    if "home" in found:
        raise InputError(f"{TOML_NAME}: home cannot be set in the home's own file; set FREEDA_HOME instead")
    return found


def _own_files() -> dict[str, Any]:
    """Read secrets from files that the environment names, as container engines hand them out."""
    found = {}
    for name in SECRETS:
        variable = f"{ENVIRONMENT_PREFIX}{name.upper()}{FILE_SUFFIX}"
        path = os.environ.get(variable, "")
        if path:
            found[name] = _own_file(name, variable, path)
    return found


def _own_file(name: str, variable: str, path: str) -> str:
    # Whoever confuses it with the setting itself has put the secret there.
    named = path if path.startswith("/") and "://" not in path else "the file it names"
    try:
        found = read_text(Path(path), f"{variable}: {named}").strip()
    except OSError as error:
        raise InputError(f"{variable}: {named} cannot be read: {error.strerror}") from error
    if not found:  # it would mean the embedded part, which nobody wants who names a file
        raise InputError(f"{variable}: {named} is empty: write the {name} into it")
    return found


class GivenValueError(InputError):
    """A setting that was given to `load_settings` itself is not usable."""

    def __init__(self, key: str, reason: str) -> None:
        """Say which, and why."""
        super().__init__(f"settings: {reason}")
        self.key = key
        self.reason = reason


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - values are checked by the model
    """Read the settings.

    Args:
        overrides: fields of :class:`Settings`; None means not given, so options of a command can be passed on as is.

    Raises:
        InputError: a value is of the wrong type, a key unknown, or the TOML file unreadable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    values: dict[str, Any] = {}
    try:
        for source in reversed(setting_sources(given).values()):
            values.update(source)
        return Settings(**values)
    except ValidationError as error:
        key = ".".join(str(part) for part in first_of(error)["loc"])
        reason = sentence_of(error, Settings)
        if key in given:
            raise GivenValueError(key, reason) from error
        raise InputError(f"{_source_of(key)}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{TOML_NAME} of the home is not valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"{TOML_NAME} of the home cannot be read: {error.strerror} ({error.filename})") from error


def prepare_home(settings: Settings) -> None:
    """Make the folders of the home, for this user only, and see that files can be written there.

    A home that others may enter is narrowed when nothing else lies in it; ``freeda doctor`` names one that stays wide.
    A folder of artifacts elsewhere is shared, and keeps its rights.

    Raises:
        UnavailableError: a folder cannot be made or written.
    """
    home = settings.home
    own = (home, home / ARTIFACTS, settings.broker_folder, settings.logs_folder, settings.locks_folder)
    try:
        if narrow_folder(home, _contents(settings)) and settings.database_file.exists():
            log.warning("others could enter the home; now nobody else can", home=str(home))
        for folder in own:
            if folder != home / ARTIFACTS or not settings.artifacts:
                make_private_folder(folder)
        settings.artifacts_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        raise UnavailableError(
            f"the home {settings.home} cannot be written: {error.strerror}; set FREEDA_HOME to a folder that can"
        ) from error


def _contents(settings: Settings) -> frozenset[str]:
    """Names of what a home holds."""
    database = settings.database_file.name
    places = (
        settings.banks_folder,
        settings.broker_folder,
        settings.logs_folder,
        settings.locks_folder,
        settings.home / ARTIFACTS,
        settings.home / PACKS,
        settings.home / TOML_NAME,
        *(settings.home / f"{database}{part}" for part in ("", "-wal", "-shm", "-journal")),
    )
    return frozenset(place.name for place in places)


def _checked(check: Callable[..., str], *given: str) -> str:
    """Say what is wrong in the way that pydantic hands on, which adds where the value came from."""
    try:
        return check(*given)
    except InputError as error:
        raise ValueError(str(error)) from error


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - links are kept as the person wrote them


def _source_of(key: str) -> str:
    variable = f"{ENVIRONMENT_PREFIX}{key.upper()}"
    if variable in {name.upper() for name in os.environ}:
        return "environment"
    return f"the file that {variable}{FILE_SUFFIX} names" if os.environ.get(f"{variable}{FILE_SUFFIX}") else TOML_NAME
