"""Registries: names that are found, names that are nearly right, and cards that are wrong."""

import re
from typing import Any

import pytest

from mlsysim import Hardware, Models, cards, registry
from mlsysim.core.errors import SpecError, UnknownNameError

DEVICE = """\
name = "Maker One 64GB"
vendor = "Maker"
kind = "gpu"
aliases = ["One 64GB", "ONE-64"]

[peak.fp16]
value = 100
unit = "TFLOP/s"
source = "maker-one"
place = "page 1"
read = 2026-01-31
confidence = "high"
note = "dense"

[bandwidth]
value = 1
unit = "TB/s"
source = "maker-one"
place = "page 1"
read = 2026-01-31
confidence = "high"
also = [{ value = 1.02, unit = "TB/s", source = "press", place = "line 3" }]

[capacity]
value = 64
unit = "GB"
source = "maker-one"
place = "page 1"
read = 2026-01-31
confidence = "high"
"""

ADDRESS = 'source = "paper"\nplace = "table 1"\nread = 2026-01-31\nconfidence = "high"\n'
NETWORK = f"""\
name = "Tiny"
aliases = ["tiny-1"]
kind = "convnet"

[input]
value = [3, 8, 8]
{ADDRESS}
[layers]
value = [{{ op = "conv", out = 4, kernel = 3, stride = 1 }}, {{ op = "global_pool" }}]
{ADDRESS}
[published.params]
value = 116
{ADDRESS}"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Put cards into an empty zoo, each under ``folder/lab/stem``, and open it."""
    registry._card.cache_clear()
    monkeypatch.setattr(registry, "_DATA", tmp_path)

    def put(folder: str = "hardware", **texts: str) -> Any:
        lab = tmp_path / folder / "lab"
        lab.mkdir(parents=True, exist_ok=True)
        for stem, card in texts.items():
            (lab / f"{stem}.toml").write_text(card, "utf-8")
        if folder == "models":
            return registry.Registry("Models", "models", cards.model)
        return registry.Registry("Hardware", "hardware", cards.accelerator)

    yield put
    registry._card.cache_clear()


def fault(zoo: Any, stem: str = "One") -> str:
    """The one error that a malformed card gives."""
    with pytest.raises(SpecError) as caught:
        getattr(zoo.Lab, stem)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("H100 SXM 80GB", "H100"),
        ("h100-sxm-80gb", "H100"),
        ("NVIDIA A100 SXM4 80GB", "A100"),
        ("A100_PCIe_40GB", "A100_PCIe_40GB"),
        ("A100 PCIe 40GB", "A100_PCIe_40GB"),
    ],
)
def test_a_device_is_found_by_any_of_its_names(name, stem):
    assert Hardware[name] is getattr(Hardware.Cloud, stem)
    assert Hardware[name] is getattr(Hardware, stem)


def test_the_names_of_the_course_are_there():
    """Those that the two founding tutorials use."""
    assert Models.Llama3_70B is Models.Language.Llama3_70B
    assert Models.Llama3_8B is Models.Language.Llama3_8B
    assert {Models.ResNet50.name, Models.GPT3.name} == {"ResNet-50", "GPT-3 175B"}
    assert [hw.vendor for hw in (Hardware.Cloud.A100, Hardware.Cloud.H100, Hardware.Cloud.H200)] == [
        "NVIDIA"
    ] * 3


def test_a_point_in_a_name_counts():
    """Llama 3.1 is not Llama 31."""
    assert Models["Llama-3.1-8B"] is Models["llama 3.1 8b"]
    with pytest.raises(UnknownNameError):
        Models["Llama-31-8B"]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: Hardware.Cloud.H10, "Hardware.Cloud has no 'H10'. Did you mean 'H100'"),
        (lambda: Hardware.h100, "Hardware has no 'h100'. Did you mean 'H100'"),
        (lambda: Hardware.Cluod, "Hardware has no 'Cluod'. Did you mean 'Cloud'"),
        (lambda: Hardware["H100 SXM6"], "Hardware has no 'H100 SXM6'. Did you mean "),
        (lambda: Models.Llama3_80B, "Models has no 'Llama3_80B'. Did you mean 'Llama3_8B'"),
        (
            lambda: Models.Language.Resnet50,
            "Models.Language has no 'Resnet50'. Known: BERT_Base, BERT_Large,",
        ),
    ],
)
def test_a_name_that_is_nearly_right_gets_a_hint(ask, message):
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}"):
        ask()


@pytest.mark.parametrize("key", [3, None, b"H100"])
def test_a_key_that_is_no_text_is_unknown(key):
    with pytest.raises(UnknownNameError, match=re.escape(f"Hardware has no {key!r}")):
        Hardware[key]


def test_python_may_ask_whether_there_is_a_name():
    """An unknown name is an AttributeError and a LookupError, as the language expects."""
    assert hasattr(Hardware.Cloud, "H100")
    assert not hasattr(Hardware.Cloud, "H1000")
    assert getattr(Models, "Llama9", None) is None
    assert not hasattr(Hardware, "_private")
    with pytest.raises(LookupError):
        Models["Llama9"]


def test_tab_completion_offers_groups_and_things():
    assert {"Cloud", "Workstation", "H100", "list"} <= set(dir(Hardware))
    assert {"Language", "Vision", "Llama3_70B", "ResNet50"} <= set(dir(Models))
    assert dir(Hardware.Workstation) == sorted(dir(Hardware.Workstation))
    assert {"RTX_3090", "RTX_4090"} < set(dir(Hardware.Workstation))
    assert all(name.isidentifier() for zoo in (Hardware, Models) for name in dir(zoo))


def test_a_registry_is_walked_in_order():
    groups = [getattr(Hardware, name) for name in ("Cloud", "Edge", "Mobile", "Tiny", "Wafer", "Workstation")]
    assert len(Hardware) == len(Hardware.list()) == sum(map(len, groups))
    assert Hardware.list() == [device for group in groups for device in group]
    assert repr(Models).splitlines()[-1].startswith("<Models.Vision: ConvNeXt_B, ")


def test_a_thing_is_built_once():
    assert Hardware.Cloud.A100 is Hardware.Cloud.A100 is Hardware["A100 SXM 80GB"]


def test_a_good_card_loads_with_its_sources(place):
    device = place(One=DEVICE).Lab.One

    assert (device.name, device.bandwidth_si, device.peak_si["fp16"]) == ("Maker One 64GB", 1e12, 1e14)
    assert device.sources["peak.fp16"].note == "dense"
    assert device.sources["bandwidth"].also[0]["source"] == "press"


def test_a_good_network_loads_with_what_is_published(place):
    network = place("models", One=NETWORK).Lab.One

    assert network.published["params"] == 116
    assert network.sources["published.params"].source == "paper"


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ('source = "maker-one"\n', "", "peak.fp16", "lacks source"),
        ('place = "page 1"\nread = 2026-01-31\n', "", "peak.fp16", "lacks place, read"),
        ("value = 1\n", "", "bandwidth", "must be a table with value, source"),
        ("[bandwidth]\nvalue", "[bandwidth]\nvalu = 1\nvalue", "bandwidth", "Did you mean 'value'?"),
        ("value = 1\nunit", "value = 1\nunits", "bandwidth", "Did you mean 'unit'?"),
        ('value = 1\nunit = "TB/s"', "value = 1", "bandwidth", 'needs a unit, as in Q_("1 GB/s")'),
        ('unit = "TB/s"', 'unit = "GB"', "bandwidth", "as in GB/s"),
        ('unit = "TB/s"', 'unit = "TBs"', "bandwidth", "Did you mean 'TB/s'"),
        ("value = 1\n", 'value = "1"\n', "bandwidth", "must be a number; got '1'"),
        ("value = 1\n", "value = true\n", "bandwidth", "must be a number; got True"),
        ("value = 1\n", "value = nan\n", "bandwidth", "finite positive"),
        ("value = 1\n", "value = -1\n", "bandwidth", "finite positive"),
        ("[bandwidth]", "[bandwith]", "bandwith", "Did you mean 'bandwidth'?"),
        ("[peak.fp16]", "[tdp]", "peak", "missing"),
        ("[peak.fp16]", "[peak.fp15]", "peak.fp15", "Did you mean 'fp16'"),
        ("[peak.fp16]", "[peak]", "peak", "must be a table with value, source"),
        ('kind = "gpu"', 'kind = "gpu"\ntdp = 300', "tdp", "must be a table with value, source"),
        ('name = "Maker One 64GB"\n', "", "name", "missing"),
        ('aliases = ["One 64GB", "ONE-64"]', 'aliases = "One"', "aliases", "list"),
        ("read = 2026-01-31", 'read = "January"', "peak.fp16", "read must be a date"),
        ('confidence = "high"', 'confidence = "low"', "peak.fp16", "high or medium"),
        (', place = "line 3" }', " }", "bandwidth", "value, source and place"),
        ("also = [{", "also = [1, {", "bandwidth", "value, source and place"),
    ],
)
def test_a_malformed_card_is_told_by_file_field_and_remedy(place, old, new, field, remedy):
    assert old in DEVICE
    message = fault(place(One=DEVICE.replace(old, new, 1)))

    assert message.startswith("data/hardware/lab/One.toml: ")
    assert field in message
    assert remedy in message


@pytest.mark.parametrize(
    ("old", "new", "field", "remedy"),
    [
        ('"convnet"', '"convent"', "kind", "Did you mean 'convnet'?"),
        (
            'kind = "convnet"\n',
            "# convnet\n",
            "kind",
            "Known: convnet, decoder, encoder, encoder-decoder, recommender, state-space, unet, vit.",
        ),
        ('op = "conv"', 'op = "cnov"', "layers[0]", "Did you mean 'conv'"),
        ("kernel = 3, ", "", "layers[0]", "needs kernel"),
        ("value = [3, 8, 8]", "value = 3", "input", "(channels, height, width)"),
        ("value = [{", "value = [1, {", "layers", "op"),
        ("[published.params]", "[published]", "published", "must be a table with value, source"),
        ("[layers]", "[width]", "width", "Known: "),
    ],
)
def test_a_malformed_network_is_told_by_file_field_and_remedy(place, old, new, field, remedy):
    assert old in NETWORK
    message = fault(place("models", One=NETWORK.replace(old, new, 1)))

    assert message.startswith("data/models/lab/One.toml: ")
    assert field in message
    assert remedy in message


def test_broken_toml_is_told_by_file_and_line(place):
    message = fault(place(One=DEVICE.replace("[bandwidth]", "[bandwidth")))

    assert message.startswith("data/hardware/lab/One.toml: not valid TOML (")
    assert "line 15" in message


def test_a_card_is_read_when_it_is_asked_for(place):
    """One broken card does not keep a reader from the others."""
    zoo = place(One=DEVICE, Two="name = ")

    assert zoo.Lab.One.name == "Maker One 64GB"
    assert "Two.toml" in fault(zoo, "Two")


def test_a_name_for_two_things_is_refused(place):
    zoo = place(One=DEVICE, Two=DEVICE.replace("Maker One", "Maker Two").replace('"One 64GB", ', ""))

    with pytest.raises(SpecError, match=r"^data/hardware: 'ONE-64' names both Lab.One and Lab.Two$"):
        zoo["One 64GB"]


def test_looking_up_a_name_tells_of_a_card_without_one(place):
    """It is the card that is wrong, not the name that was looked up."""
    zoo = place(One=DEVICE, Two=DEVICE.replace('name = "Maker One 64GB"\n', ""))

    with pytest.raises(SpecError, match=r"^data/hardware/lab/Two.toml: name"):
        zoo["Maker One 64GB"]
