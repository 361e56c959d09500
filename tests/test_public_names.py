"""The table of contents: what ``import mlsysim`` offers, and that it says so in one voice."""

import ast
import importlib
from pathlib import Path

import pytest

import mlsysim

SOURCE = Path(__file__).parents[1] / "mlsysim" / "__init__.py"


def announced(source: str) -> dict[str, str]:
    """Names that the block for type checkers imports, each with its module below ``mlsysim``."""
    (block,) = (node for node in ast.parse(source).body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body), "the block holds imports alone"
    names = {alias.asname or "": (alias.name, node.module or "") for node in imports for alias in node.names}
    assert all(asname == name for asname, (name, _) in names.items()), "write each name as `X as X`"
    return {name: module.removeprefix("mlsysim.") for name, (_, module) in names.items()}


def test_type_checkers_and_readers_are_told_the_same():
    """The block under TYPE_CHECKING equals the table of lazy names."""
    assert announced(SOURCE.read_text("utf-8")) == mlsysim._HOME


def test_a_planted_difference_is_seen():
    source = SOURCE.read_text("utf-8")
    line = "    from mlsysim.core.engine import Engine as Engine\n"

    assert line in source
    assert announced(source.replace(line, "")) != mlsysim._HOME
    assert announced(source.replace(line, line.replace("core.engine", "core.profile"))) != mlsysim._HOME


def test_public_names_are_sorted_and_few():
    assert mlsysim.__all__ == sorted(set(mlsysim.__all__))
    assert len(mlsysim.__all__) <= 60


@pytest.mark.parametrize("name", mlsysim.__all__)
def test_a_public_name_is_the_one_in_its_module(name):
    home = importlib.import_module(f"mlsysim.{mlsysim._HOME[name]}")

    assert getattr(mlsysim, name) is getattr(home, name)
    assert name in dir(mlsysim)


@pytest.mark.parametrize("name", mlsysim.__all__)
def test_a_public_name_is_defined_where_the_table_says(name):
    """The table names the module that defines a class, not one that passes it on."""
    value = getattr(mlsysim, name)
    home = getattr(value, "__module__", None) if isinstance(value, type) else None

    assert home in {None, f"mlsysim.{mlsysim._HOME[name]}"}


def test_a_star_import_brings_all_and_nothing_else():
    space: dict[str, object] = {}
    exec("from mlsysim import *", space)  # noqa: S102 - a star import is a statement of module level

    assert sorted(space.keys() - {"__builtins__"}) == mlsysim.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mlsysim' has no attribute 'Enigne'"):
        _ = mlsysim.Enigne
