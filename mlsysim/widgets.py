"""Controls for notebooks: sliders over discrete settings, and a line of HTML that follows them.

ipywidgets is imported when a control is made. The control is a ``VBox`` of selectors and one ``HTML``,
so that its first state is plain data: a static page shows it, and a regression run compares it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlsysim.core.errors import ArgumentError

WIDTH = "28rem"
"""Of a selector: room for the name of a device beside it."""

SPACED = "<style>.widget-html-content :is(td, th) { padding: 0.1em 0.7em; }</style>"
"""Inside a control a notebook sets cells without any space between them."""

if TYPE_CHECKING:
    from ipywidgets import VBox


def control(render: Callable[..., Any], **settings: Sequence[Any]) -> "VBox":
    """Return selectors for *settings* over what *render* makes of them.

    Parameters
    ----------
    render
        Called with one value for each setting. Returns HTML, or a result that has an HTML form.
    **settings
        The values that can be chosen, by keyword; the first is shown first. Pairs of label and
        value are shown by their labels.

    Returns
    -------
    ipywidgets.VBox
        Selectors, and the rendered HTML below them.

    Raises
    ------
    ArgumentError
        If there is no setting, or one has no values.
    """
    import ipywidgets  # noqa: PLC0415 - only where a control is made

    empty = [name for name, values in settings.items() if not list(values)]
    if empty or not settings:
        msg = f"widgets.control(): each setting needs values; none in {', '.join(empty) or 'the call'}"
        raise ArgumentError(msg)
    selectors = {
        name: ipywidgets.SelectionSlider(
            options=[v if isinstance(v, tuple) else (str(v), v) for v in values],
            description=name.replace("_", " "),
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": WIDTH},
        )
        for name, values in settings.items()
    }
    output = ipywidgets.HTML()

    def draw(_: Any = None) -> None:
        shown = render(**{name: s.value for name, s in selectors.items()})
        output.value = SPACED + (shown if isinstance(shown, str) else shown._repr_html_())

    for selector in selectors.values():
        selector.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([*selectors.values(), output])
