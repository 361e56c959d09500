"""Figures that others have published, reproduced by the public API within a stated tolerance."""

import math
import pkgutil
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import mlsysim
from mlsysim import Q_

TABLE = Path(__file__).with_name("published.toml")
FIGURES = tomllib.loads(TABLE.read_text(encoding="utf-8"))["figure"]
FIELDS = {"name", "says", "call", "expected", "unit", "rel", "source", "place", "note"}
BIBLIOGRAPHY = Path(__file__).parents[1] / "references.bib"


def names():
    """Return what a call may use: the public names, all that solvers and counting define, and maths."""
    known = {name: getattr(mlsysim, name) for name in mlsysim.__all__} | {"math": math}
    for package in ("mlsysim.solvers", "mlsysim.core.counting", "mlsysim.core"):
        for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            found = vars(import_module(module.name))
            known = {n: v for n, v in found.items() if not n.startswith("_")} | known
    return known


NAMES = names()


@pytest.mark.parametrize("figure", FIGURES, ids=[figure["name"] for figure in FIGURES])
def test_a_published_figure_comes_out(figure):
    value = eval(figure["call"], dict(NAMES))  # noqa: S307 - the table is part of this repository
    if figure["unit"]:
        value = value.to(Q_(f"1 {figure['unit']}").units).magnitude
    assert float(value) == pytest.approx(figure["expected"], rel=figure["rel"]), figure["says"]


def test_there_are_at_least_sixty():
    assert len(FIGURES) >= 60


def test_every_figure_is_complete_and_cited():
    known = set(re.findall(r"@\w+\{([^,]+),", BIBLIOGRAPHY.read_text(encoding="utf-8")))
    assert len({figure["name"] for figure in FIGURES}) == len(FIGURES)
    for figure in FIGURES:
        assert set(figure) == FIELDS, figure["name"]
        assert figure["source"] in known, figure["name"]
        assert figure["place"], figure["name"]
        assert 0 < figure["rel"] <= 0.02 or figure["note"], f"{figure['name']}: say why it may be so far off"
