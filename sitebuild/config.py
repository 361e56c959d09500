"""Read ``_quarto.yml``, ``_metadata.yml`` and front matter into the options of each page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sitebuild import globs, settings
from sitebuild.errors import SiteError
from sitebuild.report import Report

FILE = "_quarto.yml"
METADATA = "_metadata.yml"
JOINED = (
    *("css", "include-in-header", "include-before-body", "include-after-body"),
    *("bibliography", "resources", "filters"),
)
PATHS = (*JOINED, "csl", "image")
SKIPPED = frozenset({"node_modules", "site_libs", "__pycache__"})


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value} stands twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; a `SiteError` tells what is wrong with it."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SiteError(path, line, f"this is not valid YAML: {error.problem}") from error
    if not isinstance(found or {}, dict):
        raise SiteError(path, None, "expected a mapping of options at the top level")
    return found or {}


@dataclass
class Config:
    """The website as ``_quarto.yml`` describes it.

    ``pages`` are the paths of the pages to render and ``files`` those of all files that may be
    copied, relative to ``root`` and with forward slashes. ``defaults`` are the options that every
    page starts from. ``unused`` gathers names of options that are not honoured.
    """

    root: Path
    raw: dict[str, Any]
    report: Report
    files: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    unused: dict[str, None] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that all this was read from."""
        return self.root / FILE

    @property
    def project(self) -> dict[str, Any]:
        """The section ``project``."""
        return self.raw.get("project") or {}

    @property
    def website(self) -> dict[str, Any]:
        """The section ``website``."""
        return self.raw.get("website") or {}

    @property
    def title(self) -> str:
        """The name of the site."""
        return str(self.website.get("title") or self.project.get("title") or "")

    @property
    def address(self) -> str:
        """Where the site will stand, without a slash at the end; empty where it has no address."""
        return str(self.website.get("site-url") or "").rstrip("/")

    @property
    def site_path(self) -> str:
        """The path of that address, with slashes at both ends; empty where there is no address."""
        return urlsplit(self.address).path.rstrip("/") + "/" if self.address else ""

    @property
    def output(self) -> Path:
        """Where the site goes."""
        return self.root / str(self.project.get("output-dir", "_site"))

    def check(self, mapping: Mapping[str, Any], section: str, path: str, where: Path) -> dict[str, Any]:
        """Report what is wrong with a mapping of options, and return what can be used of it."""
        usable = dict(mapping)
        for kind, name, message, remedy in settings.inspect(mapping, section, path):
            if kind == "error":
                self.report.error(where, message, remedy=remedy)
                del usable[name]
            elif kind == "warning":
                self.report.warn(where, message, remedy=remedy)
            else:
                self.unused.setdefault(message)
        return usable

    def flush_unused(self) -> None:
        """Tell once which options are not honoured."""
        if self.unused:
            names = ", ".join(self.unused)
            self.report.notice(self.path, f"not honoured by the embedded builder: {names}")
            self.unused.clear()

    # ------------------------------------------------------------------ options of a page
    def page_options(self, page: str, front: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a page: the site's, its directories', its own."""
        layers = [self.defaults]
        where = self.root / page
        for directory in reversed(Path(page).parents):
            found = self.root / directory / METADATA
            if found.is_file():
                layers.append(self.layer(read_yaml(found), "page", found))
        layers.append(self.layer(front, "page", where))
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = merge(merged, layer)
        return merged

    def layer(self, mapping: Mapping[str, Any], section: str, where: Path) -> dict[str, Any]:
        """Return one source of options, flattened, checked, with its paths resolved."""
        own = {k: v for k, v in mapping.items() if k not in ("format", "project", "website")}
        own = self.check(own, section, "", where)
        html = self.check(self._html(mapping.get("format"), where), "html", "format.html", where)
        flat = merge(own, html)
        if where.name in (FILE, METADATA) and isinstance(flat.get("execute"), Mapping):
            # Those of pages are checked where pages are parsed.
            flat["execute"] = self.check(flat["execute"], "execute", "execute", where)
        self._check_theme(flat)
        base = where.parent.relative_to(self.root).as_posix()
        for name in PATHS:
            if flat.get(name):
                flat[name] = _resolve(flat[name], base)
        return flat

    def _html(self, given: Any, where: Path) -> dict[str, Any]:
        if isinstance(given, str):
            given = {given: {}}
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.report.error(where, f"format is {given!r}", remedy="expected html")
            return {}
        for name in given:
            if name != "html":
                self.unused.setdefault(f"format.{name}")
        html = given.get("html")
        return dict(html) if isinstance(html, Mapping) else {}

    def _check_theme(self, flat: Mapping[str, Any]) -> None:
        theme = flat.get("theme")
        if theme not in (None, "none", "default"):
            self.unused.setdefault("theme (it has its own, light and dark)")
        method = flat.get("html-math-method")
        method = method.get("method") if isinstance(method, Mapping) else method
        if method not in (None, "mathml"):
            self.unused.setdefault(f"html-math-method: {method} (it writes MathML)")


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of two layers: mappings merge, files add up, the rest is overruled.

    Examples
    --------
    >>> merge({"css": "a.css", "toc": True}, {"css": ["b.css"], "toc": False})
    {'css': ['a.css', 'b.css'], 'toc': False}
    """
    result = dict(under)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merge(old, value)
        elif key in JOINED and old is not None and value is not None:
            result[key] = [*as_list(old), *(x for x in as_list(value) if x not in as_list(old))]
        else:
            result[key] = value
    return result


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, nothing as an empty list, and one thing as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _resolve(value: Any, base: str) -> Any:
    """Anchor the paths of an option: relative to ``base``, told from the root with a slash."""
    if isinstance(value, list):
        return [_resolve(x, base) for x in value]
    if isinstance(value, Mapping):
        return {k: _resolve(v, base) if k == "file" else v for k, v in value.items()}
    if isinstance(value, str) and value.startswith("!"):
        return "!" + str(_resolve(value[1:], base))
    if isinstance(value, str) and not value.startswith("/") and "://" not in value:
        return "/" + os.path.normpath(Path(base) / value).replace(os.sep, "/").removeprefix("./")
    return value


# ---------------------------------------------------------------------- reading the project
def load(root: Path, report: Report) -> Config:
    """Read the project in ``root``.

    Raises
    ------
    SiteError
        Where ``_quarto.yml`` is missing or is not YAML. Everything else that is wrong with it goes
        to the report.
    """
    root = root.resolve()
    if not (root / FILE).is_file():
        remedy = "name the directory of the website, the one with _quarto.yml"
        raise SiteError(root / FILE, None, "no such file", remedy)
    config = Config(root, read_yaml(root / FILE), report)
    top = {k: v for k, v in config.raw.items() if k not in ("project", "website", "format")}
    for section in ("project", "website"):
        given = config.raw.get(section) or {}
        if not isinstance(given, Mapping):
            raise SiteError(config.path, None, f"{section} is not a mapping")
        config.raw[section] = config.check(given, section, section, config.path)
    config.defaults = config.layer({**top, "format": config.raw.get("format")}, "top", config.path)
    _check_website(config)
    config.files = sorted(_walk(config))
    config.pages = _pages(config)
    return config


def _check_website(config: Config) -> None:
    web, where = config.website, config.path
    for section in ("navbar", "search", "page-footer"):
        if isinstance(web.get(section), Mapping):
            web[section] = config.check(web[section], section, f"website.{section}", where)
    for side in ("left", "right", "tools"):
        navbar = web.get("navbar")
        if isinstance(navbar, Mapping):
            _check_items(config, navbar.get(side), f"website.navbar.{side}")
    sidebars = [one for one in as_list(web.get("sidebar")) if isinstance(one, Mapping)]
    web["sidebar"] = [config.check(one, "sidebar", "website.sidebar", where) for one in sidebars]
    for sidebar in sidebars:
        _check_items(config, sidebar.get("contents"), "website.sidebar.contents")


def _check_items(config: Config, items: Any, path: str) -> None:
    for item in as_list(items):
        if isinstance(item, Mapping):
            config.check(item, "item", path, config.path)
            for below in ("menu", "contents"):
                _check_items(config, item.get(below), f"{path}.{below}")


def _walk(config: Config) -> Iterator[str]:
    output = config.output.resolve()
    for here, directories, names in os.walk(config.root):
        at = Path(here)
        directories[:] = [
            name
            for name in directories
            if not name.startswith((".", "_"))
            and name not in SKIPPED
            and (at / name).resolve() != output
            and not (at / name / "pyvenv.cfg").exists()
            and not (at / name / FILE).exists()
        ]
        yield from ((at / name).relative_to(config.root).as_posix() for name in names)


def _pages(config: Config) -> list[str]:
    sources = [f for f in config.files if f.endswith((".qmd", ".md"))]
    sources = [f for f in sources if not f.rsplit("/", 1)[-1].startswith(("_", "."))]
    render = [str(pattern) for pattern in as_list(config.project.get("render"))]
    if not render:
        left = [f for f in sources if f.endswith(".md") and not f.endswith("README.md")]
        if left:
            shown = ", ".join(left)
            config.report.notice(config.path, f"only .qmd pages are rendered, not {shown}")
        return [f for f in sources if f.endswith(".qmd")]
    for pattern in render:
        if pattern.startswith("!"):
            continue
        if not globs.select([pattern], sources):
            say = config.report.warn if globs.is_glob(pattern) else config.report.error
            what = "no page matches" if globs.is_glob(pattern) else "no page"
            say(config.path, f"project.render: {what} {pattern}")
    plain = [globs.expression(p) for p in render if p.endswith(".md")]
    return [
        f for f in globs.select(render, sources) if f.endswith(".qmd") or any(p.fullmatch(f) for p in plain)
    ]
