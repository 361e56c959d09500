"""Every figure in the zoo has an address, and the shapes count to what was published."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mlsysim import Hardware, Infrastructure, Models, Systems
from mlsysim.cards import IDENTITY as NAMES
from mlsysim.cards import REFERENCES
from mlsysim.core.counting import count, parameters
from mlsysim.core.models import Phase, VisionTransformer
from mlsysim.core.precision import PRECISIONS

ROOT = Path(__file__).parents[1]
DATA = ROOT / "mlsysim" / "data"
CARDS = sorted(DATA.rglob("*.toml"))
REGISTRIES = {
    "hardware": Hardware,
    "infrastructure": Infrastructure,
    "models": Models,
    "systems": Systems,
}

IDENTITY = {*NAMES, *REFERENCES}
ADDRESS = {"value", "source", "place"}
LEAF = ADDRESS | {"unit", "read", "confidence", "note", "also", "accumulate"}
ENTRY = re.compile(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}$", re.MULTILINE | re.DOTALL)


def cards(place: str) -> Any:
    """Mark a test to run for each card of a folder."""
    here = [card for card in CARDS if card.relative_to(DATA).as_posix().startswith(place)]
    return pytest.mark.parametrize("path", here, ids=[card.relative_to(DATA).as_posix() for card in here])


def load(path: Path) -> Any:
    """What the registry makes of a card."""
    return getattr(getattr(REGISTRIES[path.parts[-3]], path.parts[-2].title()), path.stem)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def leaf_faults(leaf: Any) -> list[str]:
    """What a leaf lacks, or has and should not have."""
    if not isinstance(leaf, dict):
        return [f"{leaf!r} stands alone, without a source"]
    faults = [f"{key} is missing" for key in sorted(ADDRESS - leaf.keys())]
    faults += [f"{key} is unknown" for key in sorted(leaf.keys() - LEAF)]
    faults += [f"{key} is empty" for key in ("source", "place", "note") if not is_text(leaf.get(key, "-"))]
    if not isinstance(leaf.get("read"), date):
        faults.append("read is no day")
    if leaf.get("confidence") not in {"high", "medium"}:
        faults.append("confidence is neither high nor medium")
    others = leaf.get("also", [])
    faults += [f"also: {key} is missing" for other in others for key in sorted(ADDRESS - other.keys())]
    return faults


def leaves(card: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of a card: a table that holds no further tables."""
    for key, value in card.items():
        if not path and key in IDENTITY and not isinstance(value, dict):
            continue
        if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def card_faults(card: dict[str, Any]) -> list[str]:
    faults = [] if is_text(card.get("name")) else ["name is missing"]
    return faults + [f"{key}: {fault}" for key, leaf in leaves(card) for fault in leaf_faults(leaf)]


def sources(card: dict[str, Any]) -> set[str]:
    """Keys of the bibliography that a card cites."""
    tables = [leaf for _, leaf in leaves(card)]
    return {t["source"] for table in tables for t in [table, *table.get("also", ())]}


def entries(text: str) -> list[tuple[str, str]]:
    """Key and fields of every entry of a bibliography."""
    return [(key, body) for _, key, body in ENTRY.findall(text)]


BIBLIOGRAPHY = (ROOT / "references.bib").read_text("utf-8")
KEYS = Counter(key for key, _ in entries(BIBLIOGRAPHY))


@cards("")
def test_every_figure_has_an_address(path):
    assert card_faults(tomllib.loads(path.read_text("utf-8"))) == []


GOOD = {
    "name": "X",
    "tdp": {
        "value": 1,
        "unit": "W",
        "source": "s",
        "place": "p",
        "read": date(2026, 1, 1),
        "confidence": "high",
    },
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"source": None}, "tdp: source is missing"),
        ({"place": " "}, "tdp: place is empty"),
        ({"value": None}, "tdp: value is missing"),
        ({"read": "today"}, "tdp: read is no day"),
        ({"confidence": "low"}, "tdp: confidence is neither high nor medium"),
        ({"sauce": "s"}, "tdp: sauce is unknown"),
        ({"also": [{"value": 2, "source": "s"}]}, "tdp: also: place is missing"),
    ],
)
def test_a_planted_figure_without_an_address_is_seen(change, fault):
    leaf = {key: value for key, value in {**GOOD["tdp"], **change}.items() if value is not None}

    assert card_faults(GOOD) == []
    assert card_faults({**GOOD, "tdp": leaf}) == [fault]
    assert card_faults({**GOOD, "peak": {"fp16": leaf}}) == [fault.replace("tdp", "peak.fp16")]


def test_a_planted_bare_figure_is_seen():
    assert card_faults({**GOOD, "year": 2020}) == ["year: 2020 stands alone, without a source"]
    assert card_faults({**GOOD, "name": ""}) == ["name is missing"]


@cards("")
def test_every_source_is_in_the_bibliography(path):
    assert sources(tomllib.loads(path.read_text("utf-8"))) - KEYS.keys() == set()


def test_the_bibliography_can_be_read_and_is_cited():
    """Each entry stands once, says what and where it is, and a card, figure, page or docstring cites it."""
    opened = re.findall(r"^@\w+\{", BIBLIOGRAPHY, re.MULTILINE)
    bare = [
        key
        for key, body in entries(BIBLIOGRAPHY)
        if not re.search(r"^\s*title\s*=", body, re.MULTILINE)
        or not re.search(r"^\s*(url|doi|isbn|eprint|journal|booktitle)\s*=", body, re.MULTILINE)
        or body.count("{") != body.count("}")
    ]
    figures = set().union(*(sources(tomllib.loads(path.read_text("utf-8"))) for path in CARDS))
    pages = " ".join(p.read_text("utf-8") for p in ROOT.glob("[!.]*/*.qmd")) + " ".join(
        p.read_text("utf-8") for p in ROOT.glob("*.qmd")
    )
    code = " ".join(p.read_text("utf-8") for p in (ROOT / "mlsysim").rglob("*.py"))
    published = tomllib.loads((ROOT / "tests" / "published.toml").read_text("utf-8"))["figure"]
    figures |= {figure["source"] for figure in published}
    cited = figures | set(re.findall(r"@([\w-]+)", pages)) | set(re.findall(r"\.\. \[([\w-]+)\]", code))

    assert len(opened) == KEYS.total()
    assert [key for key, n in KEYS.items() if n > 1] == []
    assert bare == []
    assert KEYS.keys() - cited == set()


def test_the_reader_of_bibliographies_reads():
    text = "% A comment, {@}\n\n@misc{one-a,\n  title = {{T} x},\n}\n\n@article{two,\n  title = {U}\n}\n"

    assert [key for key, _ in entries(text)] == ["one-a", "two"]


@cards("")
def test_every_card_loads_under_its_name(path):
    registry, item = REGISTRIES[path.parts[-3]], load(path)
    card = tomllib.loads(path.read_text("utf-8"))

    assert path.stem.isidentifier()
    assert item.name == card["name"]
    assert item.sources.keys() == {key for key, _ in leaves(card)}
    assert all(registry[name] is item for name in (path.stem, item.name, *item.aliases))


@pytest.mark.parametrize("folder", REGISTRIES)
def test_no_name_is_given_twice(folder):
    """Neither a stem in two groups, nor a name or an alias for two things, nor one alias twice."""
    here = {p: tomllib.loads(p.read_text("utf-8")) for p in CARDS if p.parts[-3] == folder}
    stems = Counter(p.stem for p in here) + Counter({p.parent.name.title() for p in here})
    names = Counter(name for card in here.values() for name in (card["name"], *card.get("aliases", ())))

    assert [
        name
        for name, n in (stems + Counter(["from_hf_config", "list", "load", "to_pandas", "where"])).items()
        if n > 1
    ] == []
    assert [name for name, n in names.items() if n > 1] == []


def test_every_group_of_cards_has_a_registry():
    assert {path.parts[-3] for path in CARDS} == set(REGISTRIES)


@cards("models")
def test_parameters_count_to_what_was_published(path):
    """Within 0.5 %: norms and biases of transformers are neglected.

    A figure of two digits says no more than its last one does: 6.9 billion is anything from 6.85 to 6.95.
    """
    model = load(path)
    published = Decimal(repr(model.published["params"])).normalize()
    rounding = (
        float(Decimal(5).scaleb(published.as_tuple().exponent - 1))
        if len(published.as_tuple().digits) == 2
        else 0.0
    )

    assert parameters(model) == pytest.approx(float(published), rel=0.005, abs=rounding)


def published(what: str) -> Any:
    """Mark a test to run for each card that publishes a count."""
    here = [path for path in CARDS if what in tomllib.loads(path.read_text("utf-8")).get("published", {})]
    return pytest.mark.parametrize("path", here, ids=[path.stem for path in here])


@published("flops")
def test_flops_count_to_what_was_published(path):
    """Within 2 %: what is published leaves out pooling, norms and activations."""
    model = load(path)
    work = count(model, Phase.FORWARD, PRECISIONS["fp32"], batch=1.0)

    assert work.flops == pytest.approx(model.published["flops"], rel=0.02)


@published("activations")
def test_activations_count_to_what_was_published(path):
    """Published are output elements; we count each once written and once read.

    The published figure holds both products of attention, which stay on the chip here: for each
    layer a score for each head and pair of tokens, and the weighted sum of the values.
    """
    model = load(path)
    work = count(model, Phase.FORWARD, PRECISIONS["fp32"], batch=1.0)
    outputs = work.activations / 2 / PRECISIONS["fp32"].activation_bytes
    if isinstance(model, VisionTransformer):
        n = model.tokens
        outputs += model.layers * (model.heads * n * n + n * model.heads * model.head_size)

    assert outputs == pytest.approx(model.published["activations"], rel=0.02)


RANGES = {
    "peak": (1e7, 2e18),
    "bandwidth": (1e8, 1e17),
    "capacity": (1e4, 1e13),
    "tdp": (1e-3, 3e4),
    "link": (1e9, 2e13),
    "clock": (1e7, 1e10),
    "price": (0.5, 1e5),
}
"""What any device of the zoo lies within, from a microcontroller to a wafer."""

LARGE = {"peak": (4e11, 2e16), "bandwidth": (2e10, 3e13), "capacity": (3e9, 1e12), "tdp": (5, 2000)}
"""What GPUs, TPUs and accelerator chips lie within."""


@cards("hardware")
def test_a_device_is_of_this_world(path):
    """Fences against a slip of the prefix: each figure lies within the range of its kind."""
    device = load(path)
    ranges = RANGES | (LARGE if device.kind in {"gpu", "tpu"} else {})

    assert all(ranges["peak"][0] < peak < ranges["peak"][1] for peak in device.peak_si.values())
    for name, value in device.figures.items():
        assert ranges[name][0] < value < ranges[name][1], name
    assert 2010 < device.year < 2030 if device.year else True


RATIOS = {("tf32", "fp16"): 2, ("fp16", "bf16"): 1, ("fp16", "fp8"): 2, ("fp8", "fp4"): 2}
"""Dense rate of a narrow format over that of a wide one, where both run on the matrix units."""

OTHERWISE = {
    "B300": {("fp8", "fp4")},
    "GB300": {("fp8", "fp4")},
    "RTX_5090": {("fp8", "fp4")},
}
"""GPUs whose maker says otherwise: Blackwell Ultra trades other rates for fp4; GeForce halves the formats
that accumulate in fp32."""


@cards("hardware")
def test_peaks_are_all_dense(path):
    """The rate doubles as the format halves: one figure with sparsity among the others breaks the row.

    A law of the GPUs of two makers; TPUs and other chips keep one rate for several formats.
    """
    device = load(path)
    peak = device.peak_si if device.kind == "gpu" and device.vendor in {"NVIDIA", "AMD"} else {}
    pairs = RATIOS.keys() - OTHERWISE.get(path.stem, set())
    found = {pair: peak[pair[1]] / peak[pair[0]] for pair in pairs if set(pair) <= peak.keys()}

    assert found == pytest.approx({pair: RATIOS[pair] for pair in found}, rel=0.05)
