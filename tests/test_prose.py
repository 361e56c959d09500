"""No number stands typed in the prose of a page, unless something vouches for it.

What vouches: inline code (it is computed), a claim in a hidden cell that names it, a citation in the
sentence, or the mark of a given. Names with letters, headings, years, ordinals, code and formulas are exempt.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.qmd"), *ROOT.glob("tutorials/*.qmd"), *ROOT.glob("explore/*.qmd")])

CELL = re.compile(r"^ *```\{python\}\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
CLAIM = re.compile(r"\bclaim\(\s*f?(\"[^\"]*\"|'[^']*')(.*?)\)\n", re.DOTALL)
SILENT = (
    (re.compile(r"\A---\n.*?^---$", re.DOTALL | re.MULTILINE), ""),  # front matter
    (re.compile(r"^ *(```+|~~~+).*?^ *\1$", re.DOTALL | re.MULTILINE), ""),  # code
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"<(script|style|svg)\b.*?</\1>", re.DOTALL), ""),
    (re.compile(r"\$\$.*?\$\$", re.DOTALL), ""),
    (re.compile(r"`[^`]*`", re.DOTALL), " CODE "),
    (re.compile(r"\$[^$\n]+\$"), " FORMULA "),
    (re.compile(r"\[[^\]]*\]\{\.given\}"), " GIVEN "),
    (re.compile(r"\]\([^)]*\)"), "]"),  # where links lead
    (re.compile(r"<[^>]*>"), " "),
    (re.compile(r"\{[^{}]*\}"), " "),  # attributes
    (re.compile(r"^#+ .*$", re.MULTILINE), ""),
    (re.compile(r"^:::.*$", re.MULTILINE), ""),
    (re.compile(r"^\s*\|[-:| ]+\|\s*$", re.MULTILINE), ""),
    (re.compile(r"^ *\d+\. ", re.MULTILINE), ""),  # numbers of a list
    (re.compile(r"\bExercise \d"), ""),
    (re.compile(r"\b\d+\.\d+\.\d+\b"), " VERSION "),
)
SENTENCE = re.compile(r"(?<=[.!?:;])\s+(?=[^\d\s])|\n\s*\n|^\s*[-*] ", re.MULTILINE)
TOKEN = re.compile(r"[^\s,;()\[\]{}\"“”*_|/=<>–—]+")
NUMERAL = re.compile(r"[+−\-~≈×]?\d[\d.,  ]*(?:x|%|×)?[.!?:]?")
THOUSANDS = re.compile(r"(?<=\d)[,_](?=\d{3})")
YEAR = re.compile(r"(19|20)\d\d[.!?:]?")


def prose(source: str) -> str:
    for pattern, put in SILENT:
        source = pattern.sub(put, source)
    return THOUSANDS.sub("", source)


def vouched(source: str) -> set[str]:
    """Numerals of the claims of a page."""
    claims = [f"{text} {rest}" for cell in CELL.findall(source) for text, rest in CLAIM.findall(cell + "\n")]
    return {numeral(token) for claim in claims for token in re.findall(r"\d[\d.]*", THOUSANDS.sub("", claim))}


def numeral(token: str) -> str:
    return re.sub(r"[^\d.]", "", token).strip(".")


def bare(source: str) -> list[str]:
    """Numerals in prose that nothing vouches for, each with its sentence."""
    known, found = vouched(source), []
    for sentence in SENTENCE.split(prose(source)):
        if "[@" in sentence or re.search(r"(^|\s)@\w", sentence):
            continue
        tokens = (t for t in TOKEN.findall(sentence) if NUMERAL.fullmatch(t) and not YEAR.fullmatch(t))
        wrong = (token for token in tokens if numeral(token) not in known)
        found += [f"{token}: {' '.join(sentence.split())[:90]}" for token in wrong]
    return found


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_every_number_in_prose_is_vouched_for(page):
    assert bare(page.read_text("utf-8")) == []


HIDDEN = '```{python}\n#| include: false\nclaim("a percent counts 15 times", ratio, 15, rel=0.01)\n```\n'


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("It takes 78 ms.", 1),
        ("It takes 1,000 GPUs.", 1),
        ("It is 1.4x as fast, or 40% more.", 2),
        ("A percent counts 15 times as much.\n\n" + HIDDEN, 0),
        ("A percent counts 16 times as much.\n\n" + HIDDEN, 1),
        ('It takes `{python} f"{x:.1f}"` of [50 ms]{.given}.', 0),
        ("It is 2.5 times as large [@kwon2023].", 0),
        ("The H100 of 2022 runs Llama-3.1-8B in fp16, the 8B model.", 0),
        ("## Chapter 7\n\nWith $n = 7$ and `x = 7`.\n\n1. First\n2. Second", 0),
        ("| GPU | ms |\n|---|---|\n| A100 | 78 |", 1),
    ],
)
def test_a_planted_number_is_seen(source, found):
    assert len(bare(source)) == found
