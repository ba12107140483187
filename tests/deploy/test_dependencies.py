"""What is installed is what was tested, was not taken back by its authors, and may be used by anybody."""

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deploy.documents import ROOT

PROJECT = "freeda-svc"
EXTRAS = frozenset({"server", "parquet", "seeds", "fonts", "faiss", "cvat", "openvino", "s3"})
EXTRA_WITH_GPL_PARTS = "heic"
"""Its own licence asks for a notice, but its wheels hold an encoder under the GPL: whoever installs it asks for it by
name, and no image of ours holds it (decision 25)."""
REPORT = Path(sys.prefix) / "installed.json"
ASKS_FOR_NO_MORE_THAN_A_NOTICE = re.compile(
    r"\b(Apache|MIT|(0|Free)?BSD|BSL-1\.0|ISC|PSF|Python Software Foundation|Zlib|CC0|CNRI|MPL|Mozilla|Unlicense|OFL)\b"
)
USED_AS_A_LIBRARY = {"psycopg": "LGPL", "psycopg-binary": "LGPL"}
"""Their licence asks for their own source only; an installation of one machine does without them."""


def needed(names: Iterable[tuple[str, frozenset[str]]]) -> dict[str, Distribution]:
    """What is needed for some distributions with extras, and for what they need in turn; as it is installed here."""
    found: dict[str, Distribution] = {}
    seen: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(name), extras) for name, extras in names]
    while waiting:
        name, extras = waiting.pop()
        if name in seen and extras <= seen[name]:
            continue
        seen.setdefault(name, set()).update(extras)
        found[name] = distribution(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *seen[name])):
                check_version(name, requirement)
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def check_version(of: str, requirement: Requirement) -> None:
    try:
        installed = distribution(requirement.name).version
    except PackageNotFoundError:
        pytest.fail(f"{of} needs {requirement}, which is not installed")
    assert requirement.specifier.contains(installed, prereleases=True), f"{of} needs {requirement}, not {installed}"


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, _, version in pairs}


def licence_of(given: Distribution) -> str:
    metadata = given.metadata
    classifiers = [line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")]
    return metadata.get("License-Expression") or " ".join(classifiers) or (metadata.get("License") or "")[:80]


def test_everything_that_is_needed_is_there_in_the_version_that_is_pinned() -> None:
    pinned = pins()
    for name, given in needed([(PROJECT, EXTRAS | {EXTRA_WITH_GPL_PARTS, "dev"})]).items():
        if name != PROJECT:
            assert name in pinned, f"{name} is missing in constraints.txt"
            assert Version(Version(given.version).public) == pinned[name], name


def test_what_runs_in_production_asks_for_no_more_than_a_notice() -> None:
    for name, given in needed([(PROJECT, EXTRAS)]).items():
        licence = licence_of(given)
        if name in USED_AS_A_LIBRARY:
            assert USED_AS_A_LIBRARY[name] in licence
            continue
        assert ASKS_FOR_NO_MORE_THAN_A_NOTICE.search(licence), f"{name}: {licence!r}"
        assert not re.search(r"\b[AL]?GPL", licence), f"{name}: {licence!r}"


def test_the_reader_of_phones_pictures_is_only_there_where_it_is_asked_for() -> None:
    usual = needed([(PROJECT, EXTRAS)])
    assert needed([(PROJECT, EXTRAS | {EXTRA_WITH_GPL_PARTS})]).keys() - usual.keys() == {"pillow-heif"}
    for recipe in (ROOT / "deploy" / "Dockerfile", ROOT / "docker-compose.yml"):
        assert EXTRA_WITH_GPL_PARTS not in recipe.read_text()


def test_what_is_bundled_with_that_reader_is_what_was_decided_on() -> None:
    files = distribution("pillow-heif").files or []
    told = next(file for file in files if file.name == "LICENSES_bundled.txt").read_text()
    named = dict(re.findall(r"^Name: (\S+).*\nLicense: (\S+)", told, re.MULTILINE))
    assert {name: named[name] for name in ("libheif", "libde265", "x265")} == {
        "libheif": "LGPLv3",
        "libde265": "LGPLv3",
        "x265": "GPLv2",
    }


def test_nothing_that_was_installed_had_been_taken_back() -> None:
    if not REPORT.exists():
        pytest.skip("only `make install` notes what the registry says of each version")
    told = json.loads(REPORT.read_text())["install"]
    assert told, "nothing was installed"
    taken_back = [item["metadata"]["name"] for item in told if item.get("is_yanked")]
    assert taken_back == []
