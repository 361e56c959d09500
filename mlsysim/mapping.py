"""Each row of a table of measurements as a call of the public API.

A row that has none raises :class:`NotMappedError`, whose message is the reason under which it is counted.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from mlsysim.core.calibration import PRESETS, Calibration
from mlsysim.core.engine import Engine
from mlsysim.core.errors import MLSysError, UnknownNameError
from mlsysim.core.models import ConvNet, Encoder, EncoderDecoder, Model, Phase, Transformer, VisionTransformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.measurements import COVERED, METRICS, Measurement, Metric
from mlsysim.registry import Hardware, Models, Registry, Systems
from mlsysim.solvers.serving import ServingModel, ServingResult

T = TypeVar("T")


class NotMappedError(MLSysError):
    """A row has no call of the public API; the message is the reason."""


STACKS: Final = (
    ("tensorrt-llm", ("tuned", "serving")),
    ("vllm", ("serving",)),
    ("gpt-fast", ("single_user_gptfast", "single_user", "serving")),
    (r"llama\.cpp|whisper\.cpp", ("single_user_llamacpp", "single_user", "serving")),
    ("exllama", ("single_user_exllama", "single_user", "serving")),
    (r"\bmlc\b", ("single_user_mlc", "single_user", "serving")),
    ("mlperf tiny", ("micro", "vision")),
    (r"tensorrt|_trt\b", ("vision_tensorrt", "vision")),
    (r"torch\.compile", ("vision",)),
    (r"\beager\b|pytorch ngc", ("vision_eager", "vision")),
)
"""Patterns in ``software``, and the presets for them from the closest to the most general.

The first preset that exists and covers the metric's phases is taken; else the family's usual one.
"""

_VARIANTS: Final[tuple[tuple[str, str | None], ...]] = (
    ("V100 SXM2 16GB", "V100 SXM2 16GB"),
    ("H100.*96 ?GB.*HBM2e.*", "H100_96GB_HBM2e"),
    (".*one GCD.*", None),  # half of an MI250X
    (".*original, 15 W.*", None),  # the Orin Nano before its memory clock was raised
    (".*7-core GPU.*", None),  # an M1 with seven of eight cores
)
"""Patterns in ``hardware`` that ``hardware_key`` does not tell apart, each with its card if there is one."""

_REMARKS: Final = {"power limited": "power limit below the card's"}

_STORED: Final[tuple[tuple[str, float | None], ...]] = (
    ("fp32|tf32", 32),
    (r"(?:fp16|bf16)(?: amp| \(.*\))?", 16),
    ("fp8|int8", 8),
    (r"q8_0.*", 8.5),  # 32 weights share a 16-bit scale, in q4_0 too
    (r"q4_0.*", 4.5),
    (r"q4_k_m.*", 4.85),  # file size over weights: 4.90 for 8B (4.58 GiB), 4.82 for 70B (39.59 GiB)
    (r"int4|w4a16.*|(?:int4 )?GPTQ g128", 4.125),
    (r"int4-g32|int4 \(MLC q4f16\)", 4.5),
    ("int4 q4f16_ft", 4.0),  # one scale for each row
    ("mxfp4", 4.25),  # 32 weights share an 8-bit scale
    (r"EXL2 (\d+\.\d+) bpw", None),  # the bits are in the name
)
"""Patterns in ``precision_weights``, and the bits of one weight with its share of the scales."""

_ARITHMETIC: Final = re.compile(r"fp16(?: amp| Metal|/int8 mixed.*)")
"""Ways in which ``precision_compute`` says that matrix products run in fp16."""

_LENGTH: Final = re.compile(r"~?(\d+)(?: \(not stated\))?")
_TENSOR: Final = re.compile(r"tp(\d+)(?: \(.*\))?")
_LAYERS: Final = re.compile(r"layer-split pp(\d+)")
_ALONE: Final = frozenset({"1", "1 device", "1 core", "cpu", "tp1", "dp1"})
_IN_FLIGHT: Final = re.compile(r"in-flight|\bserver\b")

_USUAL: Final = {"input_len": 16, "output_len": 128}
"""Tokens where one sequence is decoded and no length is stated: its cache is a percent of the weights."""

_MICROBATCH, _MICROBATCHES = 512, 4
"""Tokens that llama.cpp reads at once, and how many such parts of a prompt follow each other through a layer
split before it waits (its batch of 2,048 tokens)."""

_FABRICS: Final = {"based on PCIe": "PCIe_4_x16"}
"""What ``notes`` say of the link, and its card."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a row describes, as arguments of ``Engine.solve`` and ``ServingModel.solve``.

    Parameters
    ----------
    prompt, output
        Tokens in and out; None where the network has none.
    context
        Tokens in the cache of the mean decode step.
    tp_size, link
        Devices that split every matrix, and what joins them, where the row says it.
    stages
        Devices that split the layers. One works at a time, but for the parts of a long prompt.
    calibration
        Name of the preset for the row's software; None for the family's usual one.
    remarks
        What was assumed.
    """

    metric: Metric
    model: Model
    hardware: Accelerator
    batch: int
    precision: Precision
    prompt: int | None
    output: int | None
    context: int
    tp_size: int
    link: Link | None
    stages: int
    calibration: str | None
    remarks: tuple[str, ...]

    def predict(self, calibration: str | Calibration | None = None) -> float:
        """Return the predicted value in the metric's unit.

        Parameters
        ----------
        calibration
            In place of the one that belongs to the row's software.
        """
        seconds = sum(times * step.terms.latency for times, step in self.steps(calibration))
        tokens = {"request": self.output, "prefill": self.prompt}.get(self.metric.step) or 1
        return float(self.metric.value(seconds, self.batch * tokens, self.tp_size))

    def steps(self, calibration: str | Calibration | None = None) -> list[tuple[float, PerformanceProfile]]:
        """Return the steps of the run, and how often each is taken, under *calibration* or its own."""
        chosen = self.calibration if calibration is None else calibration
        if self.metric.step == "request":
            served = self._request(chosen)
            return [(1.0, served.prefill), (served.output - 1.0, served.decode)]
        decode = self.metric.step == "decode"
        step = Engine.solve(
            self.model,
            self.hardware,
            self.batch,
            self.precision,
            phase=self.metric.step,
            context=self.context if decode else None,
            prompt=None if decode and isinstance(self.model, Transformer) else self.prompt,
            tp_size=self.tp_size,
            link=self.link,
            calibration=chosen,
        )
        return [(1.0 if decode else self._fill(), step)]

    def _fill(self) -> float:
        """Return the time of a prompt on a pipeline over that on one stage: (m + p - 1) / (m p)."""
        parts = min(_MICROBATCHES, math.ceil((self.prompt or 1) / _MICROBATCH))
        return (parts + self.stages - 1) / (parts * self.stages)

    def _request(self, calibration: str | Calibration | None) -> ServingResult:
        if not isinstance(self.model, Transformer) or self.prompt is None or self.output is None:
            raise NotMappedError(f"a request needs a language model and both lengths: {self.model}")
        return ServingModel().solve(
            self.model,
            self.hardware,
            self.batch,
            self.precision,
            prompt=self.prompt,
            output=self.output,
            tp_size=self.tp_size,
            link=self.link,
            calibration=calibration,
        )


def map_row(row: Measurement) -> Run:
    """Return the run that a row describes.

    Raises
    ------
    NotMappedError
        If the row lacks something, or describes something that is not computed.
    """
    if row["category"] not in COVERED:
        raise NotMappedError("category not covered yet")
    if row["confidence"] == "low":
        raise NotMappedError("confidence low")
    metric = METRICS.get(row["metric"])
    if metric is None:
        raise NotMappedError(f"metric not covered: {row['metric']}")
    batch = _batch(row)
    model = _find(Models, "network", row["model"])
    hardware = device(row)
    _check_family(row, metric, model)
    tp_size, stages = _parallelism(row, metric)
    remarks = [*(text for sign, text in _REMARKS.items() if sign in row["hardware"])]
    if stages > 1:
        remarks.append(f"layers split over {stages} devices")
    prompt, output, context = _lengths(row, metric, model, remarks)
    number_format = precision(row)
    if number_format.name == "fp32" and "tf32" in hardware.peak:
        raise NotMappedError("fp32 or TF32: not stated")
    if gap := missing_figure(hardware, number_format):
        raise NotMappedError(gap)
    link = _link(row, hardware) if tp_size > 1 else None
    if isinstance(model, Transformer) and (longest := (prompt or 0) + (output or 0)) > model.context:
        remarks.append(f"{longest:,} tokens, beyond the context of the network")
        model = replace(model, context=longest)
    return Run(
        metric=metric,
        model=model,
        hardware=hardware,
        batch=batch,
        precision=number_format,
        prompt=prompt,
        output=output,
        context=context,
        tp_size=tp_size,
        link=link,
        stages=stages,
        calibration=stack(row["software"], metric.step),
        remarks=tuple(remarks),
    )


def _batch(row: Measurement) -> int:
    text = row["batch_or_concurrency"]
    if text.isdigit() and int(text):
        return int(text)
    if _IN_FLIGHT.search(text):
        raise NotMappedError("in-flight batching hides the batch")
    raise NotMappedError(f"batch not given as a number: {text or 'empty'}")


def _find(registry: Registry[T], kind: str, *names: str) -> T:
    for name in filter(None, names):
        try:
            return registry[name]
        except UnknownNameError:
            continue
    raise NotMappedError(f"{kind} not in the zoo: {names[-1]}")


def device(row: Measurement) -> Accelerator:
    """Return the device that a row was measured on.

    Raises
    ------
    NotMappedError
        If it has no card, or is a variant of the one that has.
    """
    for pattern, card in _VARIANTS:
        if re.fullmatch(pattern, row["hardware"]):
            if card is None:
                raise NotMappedError(f"another variant than the card: {row['hardware']}")
            return _find(Hardware, "device", card)
    return _find(Hardware, "device", row["hardware_key"], row["hardware"])


def precision(row: Measurement) -> Precision:
    """Return the number format of a row: a named one, or weights of fewer bits than the arithmetic.

    Raises
    ------
    NotMappedError
        If it is not known.
    """
    stored, arithmetic = row["precision_weights"], row["precision_compute"]
    if _ARITHMETIC.fullmatch(arithmetic):
        arithmetic = "fp16"
    bits, named = _bits(stored), PRECISIONS.get(arithmetic)
    if named is not None and named.compute == arithmetic and bits == named.weight_bits:
        return named
    if arithmetic in {"fp16", "bf16"} and bits is not None and bits < 16:
        return Precision(f"{bits:g}-bit weights, {arithmetic}", bits, arithmetic, 16, 16)
    raise NotMappedError(f"number format not known: weights {stored}, compute {row['precision_compute']}")


def _bits(stored: str) -> float | None:
    for pattern, bits in _STORED:
        if match := re.fullmatch(pattern, stored):
            return float(match[1]) if bits is None else bits
    return None


def missing_figure(hardware: Accelerator, number_format: Precision) -> str:
    """Return which figure is not published that the time of a step needs; nothing if all are."""
    if number_format.compute not in hardware.peak_si:
        return f"no published {number_format.compute} peak: {hardware}"
    lacking = [name for name in ("bandwidth", "capacity") if name not in hardware.figures]
    return f"no published {lacking[0]}: {hardware}" if lacking else ""


def is_sourced(row: Measurement) -> bool:
    """Return whether the row's device has a card with every figure that the time of a step needs."""
    try:
        return not missing_figure(device(row), precision(row))
    except NotMappedError:
        return False


def _parallelism(row: Measurement, metric: Metric) -> tuple[int, int]:
    """Return the devices that split every matrix, and those that split the layers."""
    text, devices = row["parallelism"], row["n_devices"]
    if text in _ALONE and devices == "1":
        return 1, 1
    if (match := _TENSOR.fullmatch(text)) and match[1] == devices:
        return int(devices), 1
    if (match := _LAYERS.fullmatch(text)) and match[1] == devices and metric.step in {"decode", "prefill"}:
        return 1, int(devices)
    raise NotMappedError(f"parallelism not covered yet: {text}, {devices} devices")


def _link(row: Measurement, hardware: Accelerator) -> Link | None:
    """Return what the row says of the link; None for the device's own."""
    for sign, fabric in _FABRICS.items():
        if sign in row["notes"]:
            found: Link = getattr(Systems.Fabrics, fabric)
            return found
    if "link" not in hardware.figures:
        raise NotMappedError(f"no published link: {hardware}")
    return None


def _check_family(row: Measurement, metric: Metric, model: Model) -> None:
    able = {*model.phases, *(("request",) if isinstance(model, Transformer) else ())}
    if metric.step in able:
        return
    if metric.step == "forward" and Phase.DECODE in model.phases:
        raise NotMappedError("requests of a data set: lengths not given as numbers")
    raise NotMappedError(f"{row['metric']} is not of this family: {model}")


def _lengths(
    row: Measurement, metric: Metric, model: Model, remarks: list[str]
) -> tuple[int | None, int | None, int]:
    """Return prompt, output and the context of the mean decode step."""
    if metric.step == "forward":
        return _sequence(row, model), None, 0
    if isinstance(model, EncoderDecoder):
        prompt = None if model.fixed_source else _length(row, "input_len")
        return prompt, None, _length(row, "input_len") if metric.step == "decode" else 0
    if metric.step == "prefill":
        return _length(row, "input_len"), None, 0
    usual = remarks if metric.step == "decode" and row["batch_or_concurrency"] == "1" else None
    prompt, output = _length(row, "input_len", usual), _length(row, "output_len", usual)
    return prompt, output, prompt + output // 2


def _length(row: Measurement, column: str, remarks: list[str] | None = None) -> int:
    """Return a number of tokens; where *remarks* are kept, the usual one if it is not stated."""
    if match := _LENGTH.fullmatch(row[column]):
        return int(match[1])
    if remarks is None or any(c.isdigit() for c in row[column]):
        raise NotMappedError(f"{column} not given as a number: {row[column] or 'empty'}")
    remarks.append(f"{column} {row[column] or 'not stated'}, taken as {_USUAL[column]}")
    return _USUAL[column]


def _sequence(row: Measurement, model: Model) -> int | None:
    """Return the tokens of an encoder's sequence, after a look at the image size of the others."""
    if isinstance(model, Encoder):
        return _length(row, "input_len")
    if isinstance(model, ConvNet):
        size = model.input[1:]
    elif isinstance(model, VisionTransformer):
        size = (model.image, model.image)
    else:
        return None
    if row["input_len"] and not row["input_len"].startswith("{}x{}".format(*size)):
        raise NotMappedError(f"image size not that of the network: {row['input_len']}")
    return None


def stack(software: str, step: str) -> str | None:
    """Return the preset for a software stack; None for the family's usual one.

    Examples
    --------
    >>> stack("TensorRT-LLM 0.9.0 gptSessionBenchmark, static batch", "request")
    'tuned'
    >>> stack("software that nobody knows", "decode") is None
    True
    """
    phases = {Phase.PREFILL, Phase.DECODE} if step == "request" else {Phase(step)}
    for pattern, names in STACKS:
        if re.search(pattern, software, re.IGNORECASE):
            able = (n for n in names if n in PRESETS and phases <= set(PRESETS[n].compute_efficiency))
            return next(able, None)
    return None
