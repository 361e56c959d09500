"""Drawings made small: what a plotting library writes for programs to edit, a page need not load."""

from __future__ import annotations

import re

ASIDES = re.compile(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
BETWEEN = re.compile(r">\s*\n\s*<")
IDENT = re.compile(r'\sid="([^"]*)"')
USED = re.compile(r'url\(#([^)"]+)\)|href="#([^"]+)"')
PATH = re.compile(r'\sd="([^"]*)"')
PLACE = re.compile(r'(\s(?:x|y)=")([-\d.]+)(")')
SHIFT = re.compile(r"(translate\()([-\d.]+)([ ,]+)([-\d.]+)(\))")
GLYPH = re.compile(r'(<use\b[^>]*?) transform="translate\(([-\d.]+)[ ,]+([-\d.]+)\)"(?=\s*/?>)')
STYLED = re.compile(r'<path id="([^"]+)"[^>]*? style="([^"]*)"')
MARK = re.compile(r'(<use href="#([^"]+)"[^>]*?) style="([^"]*)"(?=[^>]*/>)')
MARKS = re.compile(r"<g([^>]*)>((?:<use\b[^>]*/>){2,})</g>")
ALONE = re.compile(r"<g>(<(?:use|path)\b[^>]*/>)</g>")
STYLE = re.compile(r' style="[^"]*"')
ROUND = re.compile(r"M\s+[-\d.]+\s+[-\d.]+\s+(?:C(?:\s+[-\d.]+){6}\s+){8}z", re.IGNORECASE)
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
NUMBER = re.compile(r"-?\d+\.\d+")


def slim(drawing: str) -> str:
    r"""Return an SVG that looks the same: numbers to a hundredth, short names, no comments.

    A hundredth of a point is far below what a screen can show. Names that nothing refers to go, and
    those that are left are numbered. A group of one mark is that mark, and marks that look alike share
    their style.

    Examples
    --------
    >>> slim('<svg><!-- a -->\n <g id="g_1">\n  <path d="M 1.23456 0 \nL 2.5 -0.001 \nz"/></g></svg>')
    '<svg><path d="M1.23 0L2.5 0z"/></svg>'
    """
    text = BETWEEN.sub("><", ASIDES.sub("", drawing)).strip()
    text = text.replace("xlink:href=", "href=").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    used = dict.fromkeys(a or b for a, b in USED.findall(text))
    names = {name: f"i{number}" for number, name in enumerate(used)}
    text = IDENT.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", text)
    text = USED.sub(lambda found: found[0].replace(found[1] or found[2], names[found[1] or found[2]]), text)
    text = PATH.sub(lambda found: f' d="{_path(found[1])}"', text)
    text = GLYPH.sub(_glyph, text)
    text = SHIFT.sub(lambda m: f"{m[1]}{_short(m[2])}{m[3]}{_short(m[4])}{m[5]}", text)
    text = PLACE.sub(lambda found: found[1] + _short(found[2]) + found[3], text)
    own = {name: _properties(style) for name, style in STYLED.findall(text)}
    text = MARK.sub(lambda m: m[1] if _properties(m[3]) <= own.get(m[2], set()) else m[0], text)
    while (bare := ALONE.sub(r"\1", text)) != text:
        text = bare
    return MARKS.sub(_alike, text)


def _path(commands: str) -> str:
    commands = ROUND.sub(_circle, commands)
    text = NUMBER.sub(lambda found: _short(found[0]), " ".join(commands.split()))
    return re.sub(r" ?([A-Za-z]) ?", r"\1", text)


def _circle(found: re.Match[str]) -> str:
    """Return a closed curve of eight pieces as two arcs, if all its points lie about one centre."""
    numbers = [float(number) for number in NUMBERS.findall(found[0])]
    points = [complex(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    ends = points[3::3]
    centre = sum(ends) / len(ends)
    away = [abs(point - centre) for point in ends]
    radius = sum(away) / len(away)
    if max(away) - min(away) > radius / 50 or max(abs(p - centre) for p in points) > 1.1 * radius:
        return found[0]
    half = f"a {radius} {radius} 0 1 0"
    return f"M {centre.real - radius} {centre.imag} {half} {2 * radius} 0.0 {half} {-2 * radius} 0.0 z"


def _glyph(found: re.Match[str]) -> str:
    """A letter that is only moved has a place and needs no transformation."""
    if " x=" in found[1] or " y=" in found[1]:
        return found[0]
    places = [f' {axis}="{_short(at)}"' for axis, at in (("x", found[2]), ("y", found[3])) if float(at)]
    return found[1] + "".join(places)


def _properties(style: str) -> set[str]:
    """Names in a style; a mark that has them of its own does not take them from where it is used."""
    return {part.partition(":")[0].strip() for part in style.split(";") if part.strip()}


def _alike(found: re.Match[str]) -> str:
    """Marks that all look alike say so once, in their group."""
    styles = STYLE.findall(found[2])
    if len(styles) < found[2].count("<use") or len(set(styles)) > 1 or "style=" in found[1]:
        return found[0]
    return f"<g{found[1]}{styles[0]}>{STYLE.sub('', found[2])}</g>"


def _short(number: str) -> str:
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
