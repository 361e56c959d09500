"""One fresh Python kernel for one page, the same wherever and however often it is started."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from sitebuild.errors import SiteError

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MATPLOTLIB_SIZE = (6.4, 4.8)
FORMATS = ("svg", "retina", "png", "jpeg")


@dataclass(frozen=True)
class Figures:
    """How matplotlib draws on a page: size [in], resolution [1/in] and file format.

    None leaves matplotlib's own default. ``retina`` is PNG with twice the resolution.
    """

    size: tuple[float, float] | None = None
    dpi: float | None = None
    format: str = "svg"

    @classmethod
    def of(cls, options: Mapping[str, Any], page: Path) -> Figures:
        """Read ``fig-width``, ``fig-height``, ``fig-dpi`` and ``fig-format`` of a page.

        Raises
        ------
        SiteError
            A size or a resolution is no positive number, or the format is unknown.
        """
        numbers = {name: options.get(f"fig-{name}") for name in ("width", "height", "dpi")}
        for name, value in numbers.items():
            if value is not None and not (type(value) in (int, float) and value > 0):
                raise SiteError(page, None, f"fig-{name} takes a positive number, not {value!r}")
        kind = options.get("fig-format") or "svg"
        if kind not in FORMATS:
            raise SiteError(page, None, f"fig-format takes {', '.join(FORMATS)}, not {kind!r}")
        width, height = numbers["width"], numbers["height"]
        size = (width or MATPLOTLIB_SIZE[0], height or MATPLOTLIB_SIZE[1])
        return cls(size if width or height else None, numbers["dpi"], kind)

    @property
    def settings(self) -> dict[str, Any]:
        """The matplotlib settings that differ from its defaults."""
        size = {"figure.figsize": list(self.size)} if self.size else {}
        return size | ({"figure.dpi": self.dpi} if self.dpi else {})


class Failure(Exception):  # noqa: N818 (it becomes an error once its place in the page is known)
    """Code failed in the kernel; the caller knows where in the page it stands."""

    def __init__(self, ename: str, evalue: str, traceback: Sequence[str] = ()) -> None:
        super().__init__(ename, evalue, traceback)
        self.ename = ename
        self.evalue = evalue
        self.traceback = [ANSI.sub("", entry) for entry in traceback]

    def details(self) -> str:
        """Return the traceback: frames of the page in full, one line for each frame elsewhere."""
        entries = [
            entry if _in_cell(entry) or not entry.startswith("File ") else entry.split("\n")[0]
            for entry in self.traceback
        ]
        return "\n".join(entry.rstrip("\n") for entry in entries)

    def line_in_cell(self, count: int | None) -> int | None:
        """Return the failing line of the cell with this execution count, counted from 1."""
        found = re.findall(rf"Cell In\[{count}\], line (\d+)", "\n".join(self.traceback))
        return int(found[-1]) if found else None


class Kernel:
    """A running kernel, made by `start`."""

    def __init__(self, client: NotebookClient, wait: Callable[[Any], Any]) -> None:
        self._client: Any = client
        self._wait = wait

    def run(self, cell: NotebookNode, index: int) -> None:
        """Run a code cell; outputs and execution count are written into it.

        Raises
        ------
        Failure
            The cell raised an exception that it is not tagged for, took longer than the time
            limit, or ended its kernel.
        """
        try:
            self._wait(self._client.async_execute_cell(cell, index))
        except CellExecutionError as error:
            traceback = [line for out in cell.outputs for line in out.get("traceback", ())]
            raise Failure(error.ename, error.evalue, traceback) from None
        except CellTimeoutError:
            limit = f"the cell ran longer than {self._client.timeout} s"
            raise Failure("TimeoutError", limit) from None
        except DeadKernelError:
            message = "the kernel died (out of memory, or the code ended the process)"
            raise Failure("DeadKernelError", message) from None

    def evaluate(self, expression: str) -> str:
        """Evaluate an expression and return it as Markdown: text as is, others as displayed.

        Raises
        ------
        Failure
            The expression raised an exception.
        """
        message = self._client.kc.execute(
            "", silent=True, store_history=False, user_expressions={"value": expression}
        )
        try:
            reply = self._wait(self._client.async_wait_for_reply(message))
        except CellTimeoutError:
            limit = f"it ran longer than {self._client.timeout} s"
            raise Failure("TimeoutError", limit) from None
        except DeadKernelError:
            raise Failure("DeadKernelError", "the kernel died") from None
        result = reply["content"]["user_expressions"]["value"]
        if result["status"] == "error":
            raise Failure(result["ename"], result["evalue"], result["traceback"])
        return inline_markdown(result["data"])

    def widgets(self) -> dict[str, Any] | None:
        """Return the state of all widgets made so far, in the form a notebook keeps it."""
        self._client.set_widgets_metadata()
        state: dict[str, Any] | None = self._client.nb.metadata.get("widgets")
        return state


@contextmanager
def start(notebook: NotebookNode, *, page: Path, figures: Figures, timeout: int) -> Iterator[Kernel]:
    """Start a kernel for the cells of a notebook, and end it afterwards.

    The kernel is this very Python (no installed kernel is looked up), sees an empty IPython
    profile and only our matplotlib settings, hashes strings the same way each time, and works in
    the directory of the page. SVG and PNG pictures come out the same in each run.

    Raises
    ------
    SiteError
        The kernel does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sitebuild-", ignore_cleanup_errors=True) as scratch,
        _event_loop() as wait,
    ):
        settings = Path(scratch, "matplotlibrc")
        rc = {"svg.hashsalt": "sitebuild", **figures.settings}
        text = "".join(f"{name}: {str(value).strip('[]')}\n" for name, value in rc.items())
        settings.write_text(text, encoding="utf-8")
        env = os.environ | {
            "IPYTHONDIR": scratch,
            "MATPLOTLIBRC": str(settings),
            "PYTHONHASHSEED": "0",
        }
        client = NotebookClient(
            notebook,
            km=_OwnKernelManager(kernel_name="python3"),
            timeout=timeout,
            store_widget_state=True,
            extra_arguments=[
                "--log-level=40",
                "--HistoryManager.hist_file=:memory:",
                f"--InlineBackend.figure_formats={figures.format}",
            ],
        )
        try:
            wait(client.async_start_new_kernel(cwd=str(page.resolve().parent), env=env))
            wait(_connect(client, page))
            yield Kernel(client, wait)
        finally:
            wait(_stop(client))


@contextmanager
def _event_loop() -> Iterator[Callable[[Any], Any]]:
    """Give a function that waits for a coroutine.

    `asyncio.Runner` would turn Ctrl-C into a cancelled task, and that looks like a dead kernel.
    """
    loop = asyncio.new_event_loop()
    try:
        yield loop.run_until_complete
    finally:
        loop.run_until_complete(_cancel_all())
        loop.close()


async def _cancel_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _connect(client: NotebookClient, page: Path) -> None:
    try:
        await client.async_start_new_kernel_client()
    except RuntimeError as error:
        remedy = "check that ipykernel is installed in this Python"
        raise SiteError(page, None, f"the kernel did not start: {error}", remedy) from error


async def _stop(client: Any) -> None:
    if client.kc is not None:
        client.kc.stop_channels()
    if client.km is not None:
        await client.km.shutdown_kernel(now=True)


def inline_markdown(data: Mapping[str, str]) -> str:
    """Return a displayed value as it stands in a sentence.

    Examples
    --------
    >>> inline_markdown({"text/plain": "'1.39x'"}), inline_markdown({"text/plain": "12"})
    ('1.39x', '12')
    >>> inline_markdown({"text/plain": "m", "text/html": "<i>m</i>"})
    '`<i>m</i>`{=html}'
    """
    if "text/markdown" in data:
        return data["text/markdown"].strip()
    if "text/html" in data:
        html = re.sub(r"\s*\n\s*", " ", data["text/html"].strip())
        ticks = "`" * (1 + max(map(len, re.findall("`+", html)), default=0))
        return f"{ticks}{html}{ticks}{{=html}}"
    if "text/latex" in data:
        return data["text/latex"].strip()
    plain = data.get("text/plain", "")
    if plain[:1] in ("'", '"', "("):
        try:
            value = ast.literal_eval(plain)
        except (ValueError, SyntaxError):
            return plain
        return value if isinstance(value, str) else plain
    return plain


def _in_cell(entry: str) -> bool:
    return entry.lstrip().startswith("Cell In[")


class _OwnPython(KernelSpecManager):
    """Knows one kernel: the Python that runs this program."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the specification of this Python, whatever is installed under the name."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=kernel_name, language="python", resource_dir="")


class _OwnKernelManager(AsyncKernelManager):
    """Starts the Python that runs this program."""

    def __init__(self, **options: Any) -> None:
        super().__init__(kernel_spec_manager=_OwnPython(), **options)
