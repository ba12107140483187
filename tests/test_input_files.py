"""Files from outside are opened once, inside of their folders, whoever changes links meanwhile."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.input_files import InputRules, check_place, open_input

SWAPS = 1_500
SWAPPER = """
import os, sys
link, targets, swaps = sys.argv[1], sys.argv[2:4], int(sys.argv[4])
print("ready", flush=True)
for number in range(swaps):
    os.symlink(targets[number % 2], f"{link}.new")
    os.replace(f"{link}.new", link)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that files may be taken from, with one outside beside it."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.txt").write_text("inside")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("secret")
    return tmp_path / "in"


def read(path: Path, *folders: Path) -> str:
    with open_input(path, InputRules(folders)) as file:
        return file.read().decode()


def test_files_inside_are_read_through_links_that_stay_inside(root: Path) -> None:
    (root / "relative.txt").symlink_to("deep/a.txt")
    (root / "absolute.txt").symlink_to(root / "deep" / "a.txt")
    (root / "folder").symlink_to(root / "deep")
    (root.parent / "elsewhere").symlink_to(root)
    for name in ("deep/a.txt", "relative.txt", "absolute.txt", "folder/a.txt", "deep/../deep/a.txt"):
        assert read(root / name, root) == "inside"
        assert read(root / name, root.parent / "out", root.parent / "elsewhere") == "inside"
        assert read(root.parent / "elsewhere" / name, root) == "inside"


def test_what_lies_elsewhere_is_not_opened(root: Path) -> None:
    (root / "link.txt").symlink_to(root.parent / "out" / "a.txt")
    (root / "folder").symlink_to(root.parent / "out")
    (root.parent / "in-2").mkdir()
    for name in ("link.txt", "folder/a.txt", "../out/a.txt", "../out/none.txt", "../in-2/a.txt", "/etc/passwd"):
        with pytest.raises(InputError) as caught:
            open_input(root / name, InputRules((root,)))
        assert str(caught.value) == (
            f"{root / name} lies outside of {root}; copy it there, or change the setting input_roots"
        )
        with pytest.raises(InputError):
            check_place(root / name, (root,))


def test_a_folder_need_not_be_listable(root: Path) -> None:
    root.chmod(0o311)
    try:
        assert read(root / "deep" / "a.txt", root) == "inside"
    finally:
        root.chmod(0o755)


@pytest.mark.parametrize("level", ["file", "folder"])
@pytest.mark.slow
def test_a_link_that_changes_all_the_time_never_leads_outside(root: Path, level: str) -> None:
    link = root / "link"
    targets = (root / "deep", root.parent / "out")
    ends = [str(target / "a.txt" if level == "file" else target) for target in targets]
    link.symlink_to(ends[0])
    asked = link if level == "file" else link / "a.txt"
    read_it = refused = 0
    command = [sys.executable, "-c", SWAPPER, str(link), *ends, str(SWAPS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapping:
        assert swapping.stdout is not None
        assert swapping.stdout.readline() == "ready\n"
        while swapping.poll() is None:
            try:
                assert read(asked, root) == "inside"
                read_it += 1
            except InputError:
                refused += 1
    assert swapping.returncode == 0
    assert read_it, "the link never led inside"
    assert refused, "the link never led outside"


def test_a_link_that_appears_between_looking_and_opening_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = os.open(root.parent / "out", os.O_RDONLY)
    resolve = Path.resolve

    def resolve_and_swap(path: Path, strict: bool = False) -> Path:
        place = resolve(path, strict)
        if path.name == "a.txt" and not (root / "deep").is_symlink():
            (root / "deep").rename(root / "moved")
            (root / "deep").symlink_to(root.parent / "out")
        return place

    monkeypatch.setattr(Path, "resolve", resolve_and_swap)
    with pytest.raises(InputError, match="lies outside"):
        open_input(root / "deep" / "a.txt", InputRules((root,)))
    os.close(outside)


@pytest.mark.parametrize("folders", [False, True])
def test_what_is_no_regular_file_is_refused_at_once(root: Path, folders: bool) -> None:
    rules = InputRules((root,) if folders else ())
    os.mkfifo(root / "pipe")
    (root / "round").symlink_to(root / "round")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(root / "socket"))
        for name, message in {
            "pipe": "is no regular file; name an image file",
            "socket": "is no regular file; name an image file",
            "deep": "is a folder; name an image file",
            "": "is a folder; name an image file",
            "none": "no such image file",
            "deep/a.txt/b": "cannot be looked up: Not a directory",
            "round": "cannot be looked up: Too many|is not a usable path",
            "a\0b": "is not a usable path",
        }.items():
            with pytest.raises(InputError, match=message) as caught:
                open_input(root / name, rules)
            assert "\n" not in str(caught.value)


def test_an_address_keeps_its_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        open_input(Path("https://example.org/a/b.png"))
    assert str(caught.value) == (
        "https://example.org/a/b.png is an address, and only files of this machine are read; "
        "download it and name the image file"
    )
    (tmp_path / "https:").mkdir()
    (tmp_path / "https:" / "b.png").write_text("strange, but a file")
    assert read(Path("https://b.png")) == "strange, but a file"


def test_a_file_that_may_not_be_read_is_reported(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (root / "deep" / "a.txt").chmod(0)
    with pytest.raises(InputError, match="may not be read; check its permissions"):
        open_input(root / "deep" / "a.txt")
