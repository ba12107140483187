"""What shells complete, and the scripts with which they do."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from freeda_svc.bank.banks import BankName
from freeda_svc.cli.completion import VARIABLE
from freeda_svc.cli.main import COMMANDS, freeda
from freeda_svc.jobs.banks import open_banks
from freeda_svc.packs import BUNDLED
from freeda_svc.settings import load_settings

Freeda = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


def complete(*typed: str) -> list[str]:
    """What is offered for the last word."""
    *words, last = typed
    return [item.value for item in ShellComplete(freeda, {}, "freeda", VARIABLE).get_completions(words, last)]


@pytest.fixture
def bank_names(home: Path) -> None:
    banks = open_banks(load_settings())
    for name in (BankName("animals", 1), BankName("animals", 2), BankName("boats", 1)):
        banks.create(name, "0123456789abcdef", 4, 3)


def test_commands_and_options_are_completed() -> None:
    assert complete("") == list(COMMANDS)
    assert complete("do") == ["doctor"]
    assert complete("--ho") == ["--home"]
    assert "cancel" in complete("jobs", "")
    assert complete("ingest", "--wa") == ["--wait"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


def test_jobs_are_completed(freeda: Freeda, home: Path, inputs: Path) -> None:
    assert complete("jobs", "show", "") == []
    assert not home.exists()
    job = freeda("ingest", inputs / "captions.txt", "--limit", 1).out.strip()
    assert complete("jobs", "show", "") == [job]
    assert complete("jobs", "cancel", job[:3]) == [job]
    assert complete("jobs", "cancel", "x") == []
    assert complete("--home", str(home), "jobs", "watch", "") == [job]


def test_banks_are_completed(bank_names: None) -> None:
    assert complete("ingest", "--bank", "an") == ["animals", "animals@1", "animals@2"]
    assert complete("bank", "switch", "b") == ["boats", "boats@1"]


def test_packs_are_completed(home: Path) -> None:
    assert complete("packs", "show", "mini") == [name for name in BUNDLED if name.startswith("mini")]
    assert "freeda-vit-b" in complete("packs", "fetch", "freeda")


def test_vocabularies_are_completed(home: Path) -> None:
    assert complete("segment", "--vocabulary", "voc") == ["voc20", "voc21"]


def test_what_goes_wrong_completes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "freeda.toml").write_text("half = ")
    assert complete("jobs", "show", "") == complete("ingest", "--bank", "") == complete("packs", "show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_says_how_it_is_installed_and_its_shell_reads_it(freeda: Freeda, shell: str, tmp_path: Path) -> None:
    ran = freeda("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    comments = [line for line in ran.out.splitlines()[:6] if line.startswith("#")]
    assert any(f"freeda completion {shell} >" in line for line in comments)
    assert VARIABLE in ran.out
    assert shell != "zsh" or ran.out.startswith("#compdef freeda\n")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here to read it")
    (tmp_path / "script").write_text(ran.out)
    subprocess.run([program, "-n", tmp_path / "script"], check=True, timeout=60)


@pytest.mark.end_to_end
def test_bash_completes_with_the_script(freeda: Freeda, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    command = tmp_path / "freeda"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from freeda_svc.cli.main import main; main()" "$@"\n')
    command.chmod(0o755)
    (tmp_path / "script").write_text(freeda("completion", "bash").out)
    typed = (
        f"export PATH={tmp_path}:$PATH; source {tmp_path}/script; "
        "COMP_WORDS=(freeda jobs can); COMP_CWORD=2; _freeda_completion freeda; echo ${COMPREPLY[@]}"
    )
    ran = subprocess.run([bash, "-c", typed], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert ran.stdout == "cancel\n"
