"""The settings of Quarto websites: which are honoured here, what they hold, which are not.

Each table has one setting a line: its name, then what it holds: ``flag``, ``number``, ``text``,
``texts`` (a text or a list of texts), ``map``, ``any``, or the words that may stand there;
``others`` says that Quarto knows further words, which are reported as not honoured.
``ELSEWHERE`` names settings that Quarto knows and this builder has no use for. The options of
cells have a table of their own, in ``options``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

PROJECT = """
type         website default
title        text
output-dir   text
render       texts
resources    texts
execute-dir  file
"""

WEBSITE = """
title                   text
description             text
site-url                text
favicon                 text
image                   text
repo-url                text
repo-branch             text
repo-subdir             text
repo-actions            any
issue-url               text
navbar                  any
sidebar                 any
page-footer             any
search                  any
page-navigation         flag
back-to-top-navigation  flag
bread-crumbs            flag
reader-mode             flag
open-graph              flag
body-header             text
body-footer             text
"""

NAVBAR = """
title      any
logo       text
logo-alt   text
logo-href  text
search     flag
pinned     flag
left       any
right      any
tools      any
"""

SIDEBAR = """
id              text
title           any
search          flag
contents        any
collapse-level  number
header          text
footer          text
"""

FOOTER = """
left    any
center  any
right   any
border  flag
"""

SEARCH = """
location           navbar sidebar
type               overlay others
limit              number
keyboard-shortcut  texts
"""

ITEM = """
href        text
file        text
text        text
icon        text
aria-label  text
rel         text
target      text
menu        any
section     any
contents    any
auto        any
"""

HTML = """
theme                      any
css                        texts
body-classes               text
respect-user-color-scheme  flag
toc                        flag
toc-depth                  number
toc-title                  text
number-sections            flag
number-depth               number
anchor-sections            flag
smooth-scroll              flag
page-layout                article full others
title-block-banner         any
code-fold                  true false show
code-summary               text
code-copy                  true false hover
code-overflow              scroll wrap
code-line-numbers          flag
callout-appearance         default simple minimal
callout-icon               flag
fig-width                  number
fig-height                 number
fig-dpi                    number
fig-format                 retina png svg jpeg
include-in-header          any
include-before-body        any
include-after-body         any
filters                    texts
html-math-method           any
link-external-newwindow    flag
link-external-icon         flag
bibliography               texts
csl                        text
nocite                     text
citeproc                   flag
link-citations             flag
citations-hover            flag
footnotes-hover            flag
suppress-bibliography      flag
reference-section-title    text
lang                       text
shift-heading-level-by     number
execute                    map
jupyter                    any
engine                     jupyter markdown
"""

PAGE = """
title                   text
subtitle                text
pagetitle               text
description             text
abstract                text
keywords                texts
categories              texts
author                  any
date                    any
image                   any
image-alt               text
aliases                 texts
order                   number
listing                 any
format                  any
draft                   flag
search                  flag
sidebar                 any
resources               texts
repo-actions            any
bread-crumbs            flag
page-navigation         flag
back-to-top-navigation  flag
"""

LISTING = """
id                      text
type                    default grid table
contents                any
sort                    any
fields                  texts
field-display-names     map
field-required          texts
categories              any
include                 any
exclude                 any
max-items               number
max-description-length  number
grid-columns            number
image-placeholder       text
feed                    any
table-striped           flag
table-hover             flag
"""

EXECUTE = """
eval     flag
echo     true false fenced
output   true false asis
warning  flag
error    flag
include  flag
enabled  flag
"""

ELSEWHERE = """
abbreviations about affiliation algolia alignment announcement appendix-cite-as appendix-style
article author-meta axe background backgroundcolor bibliographystyle book border brand cache
canonical-url card-style citation citation-location cite-method classoption code-annotations
code-block-bg code-block-border-left code-link code-links code-tools collapse collapse-after
collapse-below colorlinks comments cookie-consent copy-button copyright crossref crossrefs-hover
daemon daemon-restart date-format date-meta date-modified debug default-image-extension
description-meta df-print doi dpi draft-mode drafts editor email-obfuscation embed-resources
field-links field-types fig-align fig-asp fig-cap-location fig-env fig-pos fig-responsive
filter-ui fontcolor fontsize foreground format-links freeze from funding google-analytics
google-scholar grid grid-item-align grid-item-border header-includes highlight-style html-q-tags
html-table-processing identifier-prefix image-align image-height image-lazy-loading image-width
indented-code-classes institute interlinks ipynb-filters ipynb-shell-interactivity keep-hidden
keep-ipynb keep-md kernel knitr language lib-dir license lightbox linestretch link-external-filter
linkcolor logo logo-dark logo-light mainfont manuscript margin-bottom margin-footer margin-header
margin-left margin-right margin-top max-width mermaid mermaid-format metadata-files minimal
monobackgroundcolor monofont notebook-links notebook-preview-options notebook-view number-offset
other-links output-ext output-file page-size params plotly-connected post-render pre-render
prefer-html preview profile publish quarto-required reader reference-location
related-formats-title repo-link-rel repo-link-target section-divs self-contained server shortcodes
show-item-context site-path slide-level sort-ui standalone strip-comments style subject
syntax-definitions syntax-highlighting tabsets tbl-cap-location tbl-colwidths template
template-params template-partials thanks title-block-author-single title-block-banner-color
title-block-categories title-block-style title-delim title-meta title-prefix toc-expand
toc-location toggle-position top-level-division twitter-card validate-yaml webtex wrap
"""


def table(text: str) -> dict[str, tuple[str, ...]]:
    """Return a table as setting → what it may hold.

    Examples
    --------
    >>> table("toc flag")
    {'toc': ('flag',)}
    """
    rows = (line.split() for line in text.strip().splitlines())
    return {row[0]: tuple(row[1:]) for row in rows}


TABLES = {
    "project": table(PROJECT),
    "website": table(WEBSITE),
    "navbar": table(NAVBAR),
    "sidebar": table(SIDEBAR),
    "page-footer": table(FOOTER),
    "search": table(SEARCH),
    "item": table(ITEM),
    "listing": table(LISTING),
    "execute": table(EXECUTE),
    "html": table(HTML) | table("resources texts"),
    "page": table(PAGE) | table(HTML),
    "top": table("project map\nwebsite map") | table(PAGE) | table(HTML),
}
NOT_HONOURED = frozenset(ELSEWHERE.split())
OPEN = frozenset({"page", "top", "html"})


def fits(value: Any, kinds: tuple[str, ...]) -> bool:
    """Whether a value is of one of the kinds that a table names.

    Examples
    --------
    >>> fits(3, ("number",)), fits("3", ("number",)), fits(True, ("true", "show"))
    (True, False, True)
    """
    flag = isinstance(value, bool)
    number = isinstance(value, int | float) and not flag
    plain = isinstance(value, str) or number
    return any(
        kind == "any"
        or (kind == "flag" and flag)
        or (kind == "number" and number)
        or (kind == "text" and (plain or hasattr(value, "isoformat")))
        or (kind == "texts" and (plain or _texts(value)))
        or (kind == "map" and isinstance(value, Mapping))
        or (str(value).lower() if flag else value) == kind
        for kind in kinds
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, str | int | float) for x in value)


def wanted(kinds: tuple[str, ...]) -> str:
    """Say what a setting holds, for a message.

    Examples
    --------
    >>> wanted(("scroll", "wrap")), wanted(("flag",))
    ('scroll or wrap', 'true or false')
    """
    names = {
        "flag": "true or false",
        "number": "a number",
        "text": "a text",
        "texts": "a text or a list of texts",
        "map": "a mapping",
    }
    return " or ".join(names.get(kind, kind) for kind in kinds if kind != "others")


class Finding(NamedTuple):
    """What is to be said of one setting: ``error``, ``warning`` or ``unused``."""

    kind: str
    name: str
    message: str
    remedy: str | None = None


def inspect(mapping: Mapping[str, Any], section: str, path: str = "") -> Iterator[Finding]:
    """Yield what is wrong with a mapping of settings.

    The kind is ``error`` for a value that the setting cannot hold, ``warning`` for an unknown name and
    ``unused`` for what Quarto knows and this builder does not honour. A switch of that last sort
    that is off asks for nothing, and nothing is said. Where metadata of one's own may stand, a
    name that resembles no setting is such metadata.

    Examples
    --------
    >>> [(f.message, f.remedy) for f in inspect({"toc-dept": 2}, "html")]
    [('unknown option toc-dept', 'did you mean toc-depth?')]
    >>> [(f.kind, f.name) for f in inspect({"code-tools": True, "lightbox": False}, "html")]
    [('unused', 'code-tools')]
    """
    known = TABLES[section]
    for name, value in mapping.items():
        full = f"{path}.{name}" if path else str(name)
        if name in known:
            if value is None or fits(value, known[name]):
                continue
            if "others" in known[name] and isinstance(value, str):
                yield Finding("unused", name, f"{full}: {value}")
            else:
                remedy = f"expected {wanted(known[name])}"
                yield Finding("error", name, f"{full} is {value!r}", remedy)
        elif name in NOT_HONOURED:
            if value not in (False, None, "none"):
                yield Finding("unused", name, full)
        elif near := difflib.get_close_matches(str(name), [*known, *NOT_HONOURED], 1, 0.75):
            yield Finding("warning", name, f"unknown option {full}", f"did you mean {near[0]}?")
        elif section not in OPEN:
            yield Finding("warning", name, f"unknown option {full}", "delete it")
