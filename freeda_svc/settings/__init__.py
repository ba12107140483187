"""What can be set for an installation, with keywords, the environment and the home's settings file."""

from freeda_svc.settings.homes import prepare_home
from freeda_svc.settings.loading import (
    ENVIRONMENT,
    FILE,
    FILE_SUFFIX,
    FLAG,
    OWN_FILE,
    TOML_NAME,
    GivenValueError,
    load_settings,
    named_in_environment,
    setting_sources,
)
from freeda_svc.settings.model import DEFAULT_HOME, ENVIRONMENT_PREFIX, SECRETS, Settings
from freeda_svc.settings.packs import load_pack_of

__all__ = [
    "Settings",
    "load_pack_of",
    "load_settings",
    "prepare_home",
    "GivenValueError",
    "setting_sources",
    "named_in_environment",
    "DEFAULT_HOME",
    "ENVIRONMENT_PREFIX",
    "SECRETS",
    "TOML_NAME",
    "FILE_SUFFIX",
    "FLAG",
    "ENVIRONMENT",
    "OWN_FILE",
    "FILE",
]
