"""The filter that links terms, on pages of its own."""

import os
import subprocess
from pathlib import Path

import pytest

pandoc = pytest.importorskip("pypandoc")
FILTER = Path(__file__).parents[2] / "assets/glossary.lua"
GLOSSARY = """
[Ridge point]{#ridge}
:   Where two times are equal. *Unit:* FLOP/B.

[MFU (model FLOP utilization)]{#mfu}
:   A share of the [peak](#peak) [@work]; more below.

[Parameter, weight]{#parameter}
:   A number.

[Fit]{#fit .everyday}
:   Whether it fits.
"""


@pytest.fixture
def linked(tmp_path):
    (tmp_path / "glossary.qmd").write_text(GLOSSARY, encoding="utf-8")

    def convert(text: str) -> str:
        done = subprocess.run(
            [pandoc.get_pandoc_path(), "--lua-filter", FILTER, "--to", "markdown-smart", "--wrap", "none"],
            input=text,
            capture_output=True,
            encoding="utf-8",
            check=True,
            env={**os.environ, "QUARTO_PROJECT_DIR": str(tmp_path)},
        )
        return done.stdout.strip()

    return convert


RIDGE = '[{}](/glossary.qmd#ridge "Where two times are equal."){{.term}}'


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("The ridge point, here.", f"The {RIDGE.format('ridge point')}, here."),
        ("(Ridge points) and ridge point", f"({RIDGE.format('Ridge points')}) and ridge point"),
        ("A **ridge point** is. A ridge point", f"A **ridge point** is. A {RIDGE.format('ridge point')}"),
        ("Its MFU", 'Its [MFU](/glossary.qmd#mfu "A share of the peak."){.term}'),
        (
            "model FLOP utilization",
            '[model FLOP utilization](/glossary.qmd#mfu "A share of the peak."){.term}',
        ),
        ("Weights: a", '[Weights](/glossary.qmd#parameter "A number."){.term}: a'),
        ("It does fit.", "It does fit."),
        ("# Ridge point", "# Ridge point"),
        ("[ridge point](x.html) and `ridge point`", "[ridge point](x.html) and `ridge point`"),
        ("ridge. Point", "ridge. Point"),
        ("---\nglossary-links: false\n---\n\nridge point", "ridge point"),
    ],
)
def test_terms_are_linked_at_first_use(linked, text, out):
    assert linked(text) == out
