"""Comparing two records that hold arrays must not raise, as the comparison that a dataclass makes of its own would."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import freeda_svc

PACKAGE = Path(freeda_svc.__file__).parent
HOLDS_ARRAYS = ("NDArray", "Tensor")


def _dataclasses_comparing_arrays(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        decorators = [text for text in map(ast.unparse, node.decorator_list) if text.startswith("dataclass")]
        fields = [ast.unparse(part.annotation) for part in node.body if isinstance(part, ast.AnnAssign)]
        compares = any(isinstance(part, ast.FunctionDef) and part.name == "__eq__" for part in node.body)
        holds_arrays = any(name in field for field in fields for name in HOLDS_ARRAYS)
        if decorators and holds_arrays and not compares and "eq=False" not in decorators[0]:
            yield node.name


@pytest.mark.slow
def test_no_dataclass_compares_arrays_as_truth_values() -> None:
    modules = [module for folder in (PACKAGE, PACKAGE / "workers") for module in folder.rglob("*.py")]
    found = {
        f"{module.name}: {name}" for module in modules for name in _dataclasses_comparing_arrays(module.read_text())
    }
    assert len(modules) > 100
    assert found == set()


def test_one_that_does_is_found() -> None:
    source = "@dataclass(frozen=True)\nclass Scene:\n    image: npt.NDArray[np.uint8]\n"
    assert list(_dataclasses_comparing_arrays(source)) == ["Scene"]
    assert not list(_dataclasses_comparing_arrays(source.replace("True", "True, eq=False")))
