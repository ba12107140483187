"""The folders of a home."""

import tempfile

from freeda_svc.errors import UnavailableError
from freeda_svc.loggers import logger
from freeda_svc.private_folders import make_private_folder, narrow_folder
from freeda_svc.settings.loading import TOML_NAME
from freeda_svc.settings.model import ARTIFACT_COPIES, ARTIFACTS, PACKS, Settings

log = logger(__name__)


def prepare_home(settings: Settings) -> None:
    """Make the folders of the home, for this user only, and see that files can be written there.

    A home that others may enter is narrowed when nothing else lies in it; ``freeda doctor`` names one that stays wide.
    A folder of artifacts elsewhere is shared, and keeps its rights.

    Raises:
        UnavailableError: a folder cannot be made or written.
    """
    home = settings.home
    artifacts = settings.artifacts_folder
    own_artifacts = [artifacts] if settings.artifacts_on_s3 or not settings.artifacts else []
    own = (home, *own_artifacts, settings.broker_folder, settings.logs_folder, settings.locks_folder)
    try:
        if narrow_folder(home, _contents(settings)) and settings.database_file.exists():
            log.warning("others could enter the home; now nobody else can", home=str(home))
        for folder in own:
            make_private_folder(folder)
        artifacts.mkdir(parents=True, exist_ok=True)
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
        settings.submissions_folder,
        settings.uploads_folder,
        settings.home / ARTIFACTS,
        settings.home / ARTIFACT_COPIES,
        settings.home / PACKS,
        settings.home / TOML_NAME,
        *(settings.home / f"{database}{part}" for part in ("", "-wal", "-shm", "-journal")),
    )
    return frozenset(place.name for place in places)
