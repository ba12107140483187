"""What the how-tos of annotation tools show is understood by those who read it: CVAT's own program, and our reader."""

import argparse
import inspect
import re
import shlex

import pytest

from freeda_svc.annotation_tools import read_label_config
from freeda_svc.settings import Settings
from tests.docs.terminal import ROOT

HOWTO = ROOT / "docs" / "howto"


def blocks(name: str, language: str) -> list[str]:
    text = (HOWTO / f"{name}.md").read_text()
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def test_the_configuration_for_label_studio_is_read_as_the_text_says() -> None:
    [text] = blocks("label-studio", "xml")
    [image] = read_label_config(text)
    assert [category.texts for category in image.categories] == [("boat", "ship"), ("water", "sea")]
    assert image.options == {"background": "wall, floor", "least_area": "50"}
    brush, box = image.controls
    assert brush.labels == {"boat|ship": "boat|ship", "Wasser": "Wasser"}
    assert box.labels == {"boat|ship": "Boot"}


def test_variables_that_the_how_to_names_are_settings() -> None:
    named = set(re.findall(r"FREEDA_([A-Z_]+)", (HOWTO / "label-studio.md").read_text()))
    assert named
    assert {name.removesuffix("_FILE").lower() for name in named} <= set(Settings.model_fields)


def test_cvats_own_program_and_the_function_take_the_commands() -> None:
    commands = pytest.importorskip("cvat_cli._internal.commands_all", reason="cvat-cli is not installed")
    common = pytest.importorskip("cvat_cli._internal.common", reason="cvat-cli is not installed")
    cvat = pytest.importorskip("freeda_svc.annotation_tools.cvat")
    parser = argparse.ArgumentParser()
    common.configure_common_arguments(parser)
    commands.COMMANDS.configure_parser(parser)
    lines = [
        line.strip()
        for block in blocks("cvat", "text")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip().startswith("cvat-cli ")
    ]
    assert len(lines) == 3
    for line in lines:
        parsed = parser.parse_args(shlex.split(line.replace(" ID ", " 7 "))[1:])
        assert parsed.function_module == cvat.__name__
        given = inspect.signature(cvat.create).bind(**parsed.function_parameters).arguments
        assert [label.name for label in cvat.read_labels(given["labels"])][:2] == ["boat", "water"]


def test_the_table_names_every_parameter_of_the_function() -> None:
    cvat = pytest.importorskip("freeda_svc.annotation_tools.cvat")
    text = (HOWTO / "cvat.md").read_text()
    names = [name for name, one in inspect.signature(cvat.create).parameters.items() if one.kind is not one.VAR_KEYWORD]
    assert all(f"`{name}=" in text for name in names)
