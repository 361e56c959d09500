import pytest

from mlsysim import ArgumentError
from mlsysim.widgets import SPACED, control


def test_the_first_setting_is_shown_and_a_turn_is_followed():
    box = control(
        lambda batch, gpu: f"<p>{gpu} at {batch}</p>", batch=[1, 8], gpu=[("A", "A100"), ("H", "H100")]
    )
    batch, gpu, output = box.children

    assert output.value == SPACED + "<p>A100 at 1</p>"
    batch.value, gpu.value = 8, "H100"
    assert output.value == SPACED + "<p>H100 at 8</p>"


def test_results_are_shown_in_their_html_form():
    class Result:
        def _repr_html_(self):
            return "<b>7</b>"

    assert control(lambda **_: Result(), n=[1]).children[-1].value == SPACED + "<b>7</b>"


@pytest.mark.parametrize("settings", [{}, {"batch": []}])
def test_a_control_without_values_is_refused(settings):
    with pytest.raises(ArgumentError, match="each setting needs values"):
        control(str, **settings)
