"""Rooms show their names without importing what is behind them."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from freeda_svc.lazy_names import names_from

ROOMS = (
    *("batches", "captions", "demo", "encoders", "evaluation", "images", "jobs", "miniature", "outputs", "packs"),
    *("annotation_tools", "api", "client", "library", "parameters", "prototypes", "segmentation", "vocabularies"),
)
SQL, SETTINGS, IMAGES = {"sqlalchemy", "alembic"}, {"pydantic", "structlog"}, {"PIL", "skimage", "scipy"}
MODELS, QUEUE = {"torch", "transformers", "open_clip", "diffusers", "spacy", "numba"}, {"redis", "celery", "kombu"}
EVERYTHING = SQL | SETTINGS | IMAGES | MODELS | QUEUE | {"numpy", "rich", "pyarrow", "httpx"}
LIBRARY = (
    "from freeda_svc.bank import open_folder; from freeda_svc.packs import load_pack; "
    "from freeda_svc.segmentation import Segmenter, parse_categories"
)


@pytest.mark.parametrize("room", [*(f"freeda_svc.{room}" for room in ROOMS), "freeda_svc.workers"])
def test_every_name_that_a_room_shows_is_there(room: str) -> None:
    module = import_module(room)
    for name in module.__all__:
        assert getattr(module, name) is not None
        # a module of that name, once imported, would take the name's place
        assert find_spec(f"{room}.{name}") is None, name


@pytest.mark.parametrize("room", [*(f"freeda_svc.{room}" for room in ROOMS), "freeda_svc.workers"])
def test_a_room_shows_just_what_it_imports_for_type_checkers(room: str) -> None:
    module = import_module(room)
    assert module.__file__ is not None
    (block,) = (node for node in ast.parse(Path(module.__file__).read_text()).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    names = {alias.name: node.module for node in imports for alias in node.names}
    assert len(imports) == len(block.body)
    assert sorted(module.__all__) == sorted(names)
    for name, place in names.items():
        assert getattr(module, name) is getattr(import_module(str(place)), name)


def test_a_name_that_is_not_there_is_reported_with_its_room() -> None:
    find = names_from("a.room", {"json": ["dumps"]})
    assert callable(find("dumps"))
    with pytest.raises(AttributeError, match=r"module 'a\.room' has no attribute 'loads'"):
        find("loads")


@pytest.mark.parametrize(
    ("imported", "left"),
    [
        ("import freeda_svc", EVERYTHING),
        *(
            (f"import freeda_svc.{room}", EVERYTHING - {"torch", "numpy"} if room == "encoders" else EVERYTHING)
            for room in ROOMS
        ),
        ("import freeda_svc.workers", EVERYTHING),
        ("import freeda_svc.cli.main", EVERYTHING),
        ("import freeda_svc.cli.jobs, freeda_svc.cli.bank", EVERYTHING),
        (
            "import freeda_svc.cli.jobs.looking",
            IMAGES | MODELS | QUEUE | {"structlog", "numpy", "alembic", "freeda_svc.parameters.model"},
        ),
        (
            "from freeda_svc import parameters; [getattr(parameters, name) for name in parameters.__all__]",
            SQL | IMAGES | MODELS | QUEUE | {"structlog", "numpy", "click", "freeda_svc.settings"},
        ),
        ("import freeda_svc.cli.bank.contents, freeda_svc.cli.bank.versions", SQL | IMAGES | MODELS | {"structlog"}),
        ("import freeda_svc.cli.segment", IMAGES | MODELS | QUEUE | {"structlog", "alembic"}),
        ("import freeda_svc.cli.ingest", IMAGES | MODELS | QUEUE | {"structlog", "alembic"}),
        (LIBRARY, MODELS - {"torch"} | IMAGES - {"PIL"} | SQL | QUEUE),
    ],
)
def test_what_is_not_needed_is_not_imported(imported: str, left: set[str]) -> None:
    code = f"import sys; {imported}; print(sorted({left!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"


def test_a_message_is_reported_as_the_command_tells_it_though_its_library_comes_late() -> None:
    code = (
        "import sys; from freeda_svc.cli.session import configure_command_logs; "
        "from freeda_svc.loggers import logger; log = logger('x'); configure_command_logs(); "
        "assert 'structlog' not in sys.modules; log.info('not this'); log.warning('this', number=1)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("", "warning: this (number 1)\n")


def test_who_only_segments_does_not_wait_for_the_generators_library(tiny_pack_folder: Path) -> None:
    code = (
        f"import sys; from freeda_svc.packs import load_pack; pack = load_pack({str(tiny_pack_folder)!r}); "
        "pack.image_text, pack.backbone; print(sorted({'diffusers', 'spacy', 'skimage'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"
