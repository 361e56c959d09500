"""The commands: ``python -m sitebuild build|bless|notebooks|serve``."""

from __future__ import annotations

import argparse
import http.server
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sitebuild import globs, notebooks
from sitebuild.build import Settings, build, read_pages, salt_of, tell, write_notebook
from sitebuild.config import load
from sitebuild.conversion import Conversion
from sitebuild.errors import SiteError
from sitebuild.execute import execute
from sitebuild.report import Report


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m sitebuild", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    making = argparse.ArgumentParser(add_help=False)
    making.add_argument("--cache", type=Path, default=Path(".cache/sitebuild"), metavar="DIR")
    making.add_argument("--no-cache", dest="cache", action="store_const", const=None)
    making.add_argument(
        "--salt-tree",
        dest="trees",
        nargs="+",
        default=[],
        metavar="DIR",
        help="source trees that the outputs depend on, beside the pages",
    )
    making.add_argument("--strict", action="store_true", help="make errors of warnings")

    site = commands.add_parser("build", parents=[making], help="build the website")
    site.add_argument("root", nargs="?", type=Path, default=Path())
    site.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N")

    for name, folder, text in (
        ("bless", "tests/notebooks", "write the notebooks that the tests compare with"),
        ("notebooks", "build/notebooks", "write the notebooks that readers work in"),
    ):
        command = commands.add_parser(name, parents=[making], help=text)
        command.add_argument("pages", nargs="*", metavar="PAGE", help="pages or patterns")
        command.add_argument("--root", type=Path, default=Path(), metavar="DIR")
        command.add_argument("--out", type=Path, default=Path(folder), metavar="DIR")

    serve = commands.add_parser("serve", help="show the built website on this machine")
    serve.add_argument("root", nargs="?", type=Path, default=Path())
    serve.add_argument("--port", type=int, default=8000)
    return top


def run_build(given: argparse.Namespace) -> int:
    """Build the website; 1 where it was not replaced."""
    report = Report(strict=given.strict)
    settings = Settings(given.jobs, _cache(given), salt_of(given.root, given.trees))
    output, pages = build(given.root, settings=settings, report=report, say=partial(print, flush=True))
    return tell(report, output, pages)


def run_notebooks(given: argparse.Namespace) -> int:
    """Write notebooks of pages; 1 where one of them fails."""
    bless = given.command == "bless"
    report = Report(strict=given.strict)
    config = load(given.root, report)
    chosen = _chosen(given.pages, config.root, config.pages)
    salt = salt_of(given.root, given.trees)
    written: dict[str, str] = {}
    for path, page in read_pages(config, chosen).items():
        name = f"{Path(path).stem}.ipynb"
        if not page.runs:
            continue
        if name in written:
            report.error(page.document.path, f"{written[name]} has the notebook {name} already")
            continue
        written[name] = path
        try:
            # A reference is what the page says today, so it is never taken from the cache.
            cache = None if bless else _cache(given)
            done = execute(page.document, cache=cache, salt=salt, options=page.options)
            warn = done.warnings.append
            conversion = Conversion(page.options, page.document.path, config.root, warn, cache)
            notebook = notebooks.reference(done) if bless else notebooks.reader(done, conversion.cited)
        except SiteError as error:
            report.fail(error)
            print(f"{path}  failed", flush=True)
            continue
        for warning in done.warnings:
            report.warn_as(warning)
        write_notebook(notebook, given.out / name)
        print(f"{path}  {'cached' if done.cached else f'{done.seconds:.1f} s'}", flush=True)
    config.flush_unused()
    if text := report.text():
        print(text, file=sys.stderr)
    return int(report.failed)


def _chosen(given: Sequence[str], root: Path, pages: Sequence[str]) -> list[str]:
    """Return the pages that are named: by path from here or from the root, or by pattern."""
    found: list[str] = []
    for name in given:
        path = Path(name).resolve()
        inside = path.is_relative_to(root) and path.relative_to(root).as_posix() in pages
        chosen = [path.relative_to(root).as_posix()] if inside else globs.select([name], pages)
        if not chosen:
            raise SiteError(name, None, "no such page of this website")
        found += chosen
    return list(dict.fromkeys(found)) if given else list(pages)


def _cache(given: argparse.Namespace) -> Path | None:
    cache: Path | None = given.cache
    return given.root.resolve() / cache if cache else None


def run_serve(given: argparse.Namespace) -> int:
    """Serve the built website to this machine alone, until interrupted."""
    output = load(given.root, Report()).output
    if not (output / "index.html").is_file():
        raise SiteError(output, None, "there is no website yet", "run: python -m sitebuild build")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(output))
    with http.server.ThreadingHTTPServer(("127.0.0.1", given.port), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/  (Ctrl+C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = parser().parse_args(arguments)
    run = {"build": run_build, "serve": run_serve}.get(given.command, run_notebooks)
    try:
        return run(given)
    except SiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
