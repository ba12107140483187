import subprocess
import sys
from importlib.metadata import version

import pytest

import freeda_svc

HEAVY = {"numpy", "torch", "PIL", "pydantic", "transformers", "spacy", "structlog", "importlib.metadata"}


def test_importing_it_imports_no_other_library() -> None:
    script = f"import sys; before = set(sys.modules); import freeda_svc; print(({HEAVY} & set(sys.modules)) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_no_model_library_is_imported_by_an_open_bank(filled_folder: object) -> None:
    script = (
        "import sys, freeda_svc\n"
        f"bank = freeda_svc.open_bank({str(filled_folder)!r}, 'miniature', device='cpu')\n"
        "print(bank.count() > 0, {'transformers', 'diffusers', 'open_clip'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True set()"


def test_completion_shows_the_public_names_only() -> None:
    assert dir(freeda_svc) == sorted(freeda_svc.__all__)
    for name in dir(freeda_svc):
        assert getattr(freeda_svc, name) is not None


def test_the_version_is_that_of_the_distribution() -> None:
    assert freeda_svc.__version__ == version("freeda-svc")


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'freeda_svc' has no attribute 'Segmentor'"):
        freeda_svc.Segmentor  # noqa: B018
