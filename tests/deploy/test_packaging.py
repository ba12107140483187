"""What `pip install` brings: one package with all its data, which works from another folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploy.documents import ROOT

PACKAGE = "freeda_svc"
FILES_OF_A_BUILD = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", PACKAGE, "workers", "migrations")
NOT_PASSED_ON = ("PYTHON", "FREEDA_", "VIRTUAL_ENV")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}


def run(command: Sequence[str | Path], cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_sources(target: Path) -> Path:
    """Copy what a build needs, links as links; a checkout's own folder `build` would add modules of before."""
    target.mkdir()
    tar = target.parent / "sources.tar"
    with tarfile.open(tar, "w") as archive:
        for name in FILES_OF_A_BUILD:
            archive.add(ROOT / name, name, filter=lambda member: None if "__pycache__" in member.name else member)
    with tarfile.open(tar) as archive:
        archive.extractall(target, filter="fully_trusted")
    return target


def built_wheel(sources: Path, target: Path) -> Path:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps")
    run((*pip, "--no-build-isolation", "--wheel-dir", target, sources), target.parent)
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_sources(tmp_path_factory.mktemp("build") / "sources")


@pytest.fixture(scope="module")
def wheel(sources: Path) -> Path:
    return built_wheel(sources, sources.parent / "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and the dependencies of this one; gives its folder of programs.

    The dependencies are found through a path in a .pth file. Files of that kind that lie there are not read, so the
    editable installation of this environment is not part of the fresh one.
    """
    environment = tmp_path_factory.mktemp("installed") / "environment"
    run((sys.executable, "-m", "venv", "--without-pip", environment), environment.parent)
    programs = environment / "bin"
    code = "import sysconfig; print(sysconfig.get_path('purelib'), end='')"
    packages = Path(run((programs / "python", "-c", code), programs))
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python", "install")
    run((*pip, "--quiet", "--no-index", "--no-deps", wheel), environment.parent)
    return programs


def contents(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def files_below(folder: Path) -> set[str]:
    """Every file of the package, those behind links too, as it is named in a wheel."""
    return {
        str((Path(place) / name).relative_to(folder.parent))
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if "__pycache__" not in place
    }


def test_the_wheel_has_one_top_level_package(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in contents(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {PACKAGE}


def test_the_wheel_holds_every_module_and_data_file(wheel: Path, sources: Path) -> None:
    expected = files_below(sources / PACKAGE)
    assert {
        f"{PACKAGE}/workers/tasks.py",
        f"{PACKAGE}/migrations/alembic.ini",
        f"{PACKAGE}/miniature/weights/pack.toml",
        f"{PACKAGE}/packs/bundled/freeda-vit-b.toml",
        f"{PACKAGE}/outputs/page/index.html",
    } <= expected
    assert {name for name in contents(wheel) if name.startswith(f"{PACKAGE}/")} == expected


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, sources: Path, tmp_path: Path) -> None:
    code = f"import setuptools.build_meta as backend; backend.build_sdist({str(tmp_path)!r})"
    run((sys.executable, "-c", code), sources)
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    assert contents(built_wheel(unpacked, tmp_path / "wheel")) == contents(wheel)


def test_an_installed_package_is_imported_from_its_environment_only(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, importlib.util as u, freeda_svc, freeda_svc.workers.tasks as tasks\n"
        "print(json.dumps([freeda_svc.__file__, tasks.__file__, *map(u.find_spec, ('workers', 'migrations'))]))"
    )
    package, tasks, *others = json.loads(run((installed / "python", "-c", code), tmp_path))
    assert Path(package).is_relative_to(installed.parent)
    assert Path(tasks).is_relative_to(Path(package).parent / "workers")
    assert others == [None, None]


def test_the_installed_command_names_its_version(installed: Path, tmp_path: Path) -> None:
    assert run((installed / "freeda", "--version"), tmp_path).strip().endswith("0.1.0")


@pytest.mark.end_to_end
@pytest.mark.timeout(1800)
def test_a_small_demonstration_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    report = json.loads(
        run((installed / "freeda", "demo", "--captions", "30", "--scenes", "10", "--quiet", "--json"), tmp_path)
    )
    assert report["test_scenes"] == 10
    assert report["prototypes"] > report["images_generated"] > 30
    assert report["miou"] > report["ablation"]["random_prototypes"] + 0.2
    assert {"gallery.png", "report.json", "masks"} <= {path.name for path in (tmp_path / "demo-output").iterdir()}


TYPED_EXAMPLE = """
import freeda_svc

with freeda_svc.open_bank("photos", pack="miniature") as bank:
    added: freeda_svc.Added = bank.add_captions(["a boat on the water"], progress=False)
    model = freeda_svc.Segmenter(bank)
    result: freeda_svc.Result = model.segment("photo.jpg", ["boat|ship", "water"], k=20)
    pixels: int = int(result.mask("water").sum())
    proposals: freeda_svc.Proposals = model.propose("photo.jpg", most=3)
    evidence: freeda_svc.Evidence | None = model.explain(result).evidence
    for result in model.segment_many("photos", proposals.categories, out="masks"):
        print(result.labels.shape, freeda_svc.__version__.upper())
    names: list[str] = bank.nouns()
    freeda_svc.Segmentor(bank)
"""


UNREAD = """
[mypy]
[mypy-torch.*,torchvision.*,transformers.*,diffusers.*,open_clip.*,timm.*,scipy.*,skimage.*,sqlalchemy.*,celery.*,kombu.*]
follow_imports = skip
"""
"""Large libraries whose types the example does not show: mypy would take a minute to read them."""


def test_an_installed_wheel_shows_its_types(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(TYPED_EXAMPLE)
    (tmp_path / "mypy.ini").write_text(UNREAD)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=mypy.ini", "--no-error-summary")
    done = subprocess.run(
        [*mypy, f"--python-executable={installed / 'python'}", f"--cache-dir={tmp_path / 'cache'}", "example.py"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, done.stdout + done.stderr
    assert "dict[str, int]" in errors[0]
    assert 'Module has no attribute "Segmentor"' in errors[1]


@pytest.mark.skipif(shutil.which("node") is None, reason="pyright runs in Node.js, which is not installed")
def test_pyright_sees_the_types_of_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(TYPED_EXAMPLE)
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", installed / "python", "example.py"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [one["message"] for one in found if one["severity"] == "error"]
    assert len(errors) == 2, done.stdout + done.stderr
    assert "dict[str, int]" in errors[0]
    assert '"Segmentor" is not a known attribute' in errors[1]
