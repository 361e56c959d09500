"""Each row of a table of training runs as a call of ``DistributedModel``.

A row that has none raises :class:`~mlsysim.mapping.NotMappedError`, as in ``mlsysim.mapping``.
"""

import re
from dataclasses import dataclass
from typing import Final

from mlsysim.core.calibration import Calibration
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.training import Attention
from mlsysim.core.errors import UnknownNameError
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.precision import Precision
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Fleet, Link, Node
from mlsysim.core.training_step import SERIAL, Overlap
from mlsysim.mapping import NotMappedError, device, missing_figure
from mlsysim.measurements import Measurement
from mlsysim.registry import Models, Systems
from mlsysim.solvers.distributed import DistributedModel, DistributedResult

CATEGORY: Final = "4_training"

METRICS: Final = {
    "training_tokens_per_s_per_gpu": "tok/s/GPU",
    "model_tflops_per_gpu": "TFLOP/s/GPU",
    "hardware_tflops_per_gpu": "TFLOP/s/GPU",
    "mfu": "%",
    "hfu_percent_of_peak": "%",
    "iteration_time": "s",
}
"""Metrics that are predicted, each with its unit."""

_CONVENTIONS: Final = (
    (r"llm-foundry|Megatron-LM", Attention.FULL),
    (r"", Attention.CAUSAL),
)
"""Patterns in ``software``, and the pairs of tokens that its rates count: NVIDIA's tables since 2025 count
the causal half, as the quotient of their two columns shows."""

_FABRICS: Final = {
    "A100 SXM 80GB": ("DGX_A100", "Ethernet_200G"),
    "A100 SXM 40GB": ("DGX_A100_40GB", "Ethernet_200G"),
    "H100 SXM 80GB": ("DGX_H100", "InfiniBand_NDR"),
    "H200 SXM 141GB": ("DGX_H200", "InfiniBand_NDR"),
    "B200 180GB": ("DGX_B200", "InfiniBand_NDR"),
    "B300 288GB": ("AWS_p6_b300", "InfiniBand_XDR"),
    "GB200 (per GPU) 186GB": ("GB200_NVL72", "InfiniBand_NDR"),
    "GB300 (per GPU) 288GB": ("GB300_NVL72", "InfiniBand_XDR"),
}
"""Node and network of each device, in the configuration that is sold; llm-foundry's page says 1,600 Gb/s a
node of A100, torchtitan's 400 Gb/s for each GPU."""

_STORED: Final = {"fp8": "fp8", "mxfp8": "fp8", "fp8-cs": "fp8", "fp8-mx": "fp8", "nvfp4": "fp4"}
"""Number formats of matrix products, and the peak that counts; activations and weights stay in 16 bits."""

_SIXTEEN: Final = re.compile(r"(?:amp_)?(bf16|fp16)")
_SIZES: Final = re.compile(r"(tp|pp|cp|vp|ep|dp|fsdp) ?(\d+)")
_MODEL_PARALLEL: Final = re.compile(r"tp\*pp=(\d+) dp=(\d+)")
_MICROBATCH: Final = re.compile(r"MBS (\d+)|microbatch (\d+)")
_TENSOR_IN_NODE: Final = 8
"""Megatron-LM in 2021 split matrices over the eight devices of a node before it split layers."""

_FULLY: Final = (
    r"[Ff]ull activation checkpointing|activation checkpointing True|INCLUDE activation recomputation"
    r"|pretrain_gpt3_175B"
)
"""Full recomputation in ``software`` and ``notes``; the last is an example script whose 138 TFLOP/s in 32 s
are eight FLOP for each parameter and token."""

_RECOMPUTED: Final = (
    (_FULLY, Recompute.FULL),
    (r"[Ss]elective activation checkpointing", Recompute.SELECTIVE),
    (r"", Recompute.NONE),
)
"""Patterns, and what they say of recomputation."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What a row describes, as arguments of ``DistributedModel.solve``.

    Parameters
    ----------
    metric, attention
        What was measured, and the pairs of tokens that it counts.
    model, fleet, batch_size, precision, prompt, split, microbatch_size, recompute
        As ``DistributedModel.solve`` takes them.
    calibration
        Name of the preset.
    remarks
        What was assumed.
    """

    metric: str
    attention: Attention
    model: Transformer
    fleet: Fleet
    batch_size: int
    precision: Precision
    prompt: int
    split: Parallelism
    microbatch_size: int
    recompute: Recompute
    calibration: str = "training"
    remarks: tuple[str, ...] = ()

    def solve(
        self, calibration: str | Calibration | None = None, overlap: Overlap = SERIAL
    ) -> DistributedResult:
        """Return the step under *calibration* or its own."""
        return DistributedModel().solve(
            self.model,
            self.fleet,
            self.batch_size,
            self.precision,
            prompt=self.prompt,
            split=self.split,
            microbatch_size=self.microbatch_size,
            recompute=self.recompute,
            overlap=overlap,
            calibration=self.calibration if calibration is None else calibration,
        )

    def predict(self, calibration: str | Calibration | None = None, overlap: Overlap = SERIAL) -> float:
        """Return the predicted value in the row's unit."""
        r = self.solve(calibration, overlap)
        values = {
            "training_tokens_per_s_per_gpu": r.tokens_per_step / (r.step.total * self.split.devices),
            "model_tflops_per_gpu": r.flops_rate(self.attention).magnitude,
            "hardware_tflops_per_gpu": r.flops_rate(self.attention, recomputed=True).magnitude,
            "mfu": 100 * r.mfu(self.attention),
            "hfu_percent_of_peak": 100 * r.hfu(self.attention),
            "iteration_time": r.step.total,
        }
        return float(values[self.metric])


def map_training(row: Measurement) -> TrainingRun:
    """Return the run that a row describes.

    Raises
    ------
    NotMappedError
        If the row lacks something, or describes something that is not computed.
    """
    if row["confidence"] == "low":
        raise NotMappedError("confidence low")
    if METRICS.get(row["metric"]) != row["unit"]:
        raise NotMappedError(f"metric not covered: {row['metric']} in {row['unit']}")
    split, hardware = _split(row), device(row)
    model, number_format = _model(row["model"]), _precision(row)
    if gap := missing_figure(hardware, number_format):
        raise NotMappedError(gap)
    told = f"{row['software']}. {row['notes']}"
    remarks: list[str] = []
    micro, prompt = _microbatch(row, split, remarks), _count(row, "input_len")
    batch = _batch(row, split, micro)
    if batch % (split.dp_size * micro):
        raise NotMappedError(f"batch {batch} is no multiple of dp {split.dp_size} x microbatch {micro}")
    if "DeepSeekV3" in row["model"]:
        remarks.append("without multi-token prediction")
    return TrainingRun(
        metric=row["metric"],
        attention=next(a for pattern, a in _CONVENTIONS if re.search(pattern, row["software"])),
        model=model,
        fleet=_fleet(row, hardware, split.devices),
        batch_size=batch,
        precision=number_format,
        prompt=prompt,
        split=split,
        microbatch_size=micro,
        recompute=next(r for pattern, r in _RECOMPUTED if re.search(pattern, told)),
        remarks=tuple(remarks),
    )


def is_sourced_training(row: Measurement) -> bool:
    """Return whether the row's device has a card with every figure that the time of a step needs."""
    try:
        return not missing_figure(device(row), _precision(row))
    except NotMappedError:
        return False


def _model(name: str) -> Transformer:
    try:
        found = Models[name]
    except UnknownNameError:
        raise NotMappedError(f"network not in the zoo: {name}") from None
    if not isinstance(found, Transformer):
        raise NotMappedError(f"training is split for decoder transformers alone: {found}")
    return found


def _precision(row: Measurement) -> Precision:
    text = row["precision_compute"].split(" ")[0]
    if match := _SIXTEEN.fullmatch(text):
        return Precision(match[1], 16, match[1], 16, 16)
    if text in _STORED:
        return Precision(f"{text} products", 16, _STORED[text], 16, 16)
    raise NotMappedError(f"number format not known: {row['precision_compute'] or 'empty'}")


def _count(row: Measurement, column: str) -> int:
    if not row[column].isdigit() or not int(row[column]):
        raise NotMappedError(f"{column} not given as a number: {row[column] or 'empty'}")
    return int(row[column])


def _split(row: Measurement) -> Parallelism:
    text, devices = row["parallelism"], _count(row, "n_devices")
    if match := _MODEL_PARALLEL.fullmatch(text):
        both, copies = int(match[1]), int(match[2])
        tensor = min(both, _TENSOR_IN_NODE)
        sizes = {"tp": tensor, "pp": both // tensor, "dp": copies}
    else:
        sizes = {name: int(size) for name, size in _SIZES.findall(text)}
        if not sizes or _SIZES.sub("", text).replace("(fsdp)", "").strip(" +") not in {"", "fsdp"}:
            raise NotMappedError(f"parallelism not given in sizes: {text or 'empty'}")
    inner = sizes.get("tp", 1) * sizes.get("pp", 1) * sizes.get("cp", 1)
    copies = sizes.get("dp", sizes.get("fsdp", devices // inner))
    if copies * inner != devices:
        raise NotMappedError(f"sizes do not multiply to {devices} devices: {text}")
    return Parallelism(
        dp_size=copies,
        tp_size=sizes.get("tp", 1),
        pp_size=sizes.get("pp", 1),
        ep_size=sizes.get("ep", 1),
        cp_size=sizes.get("cp", 1),
        interleave=sizes.get("vp", 1) if sizes.get("pp", 1) > 1 else 1,
        zero_stage=_zero(text, sizes),
    )


def _zero(text: str, sizes: dict[str, int]) -> Zero:
    """Return what the copies split: weights where the row says FSDP, else the optimizer's state."""
    if "fsdp" in text and sizes.get("pp", 1) == 1:
        return Zero.WEIGHTS
    return Zero.STATE


def _microbatch(row: Measurement, split: Parallelism, remarks: list[str]) -> int:
    if match := _MICROBATCH.search(f"{row['software']} {row['notes']}"):
        return int(match[1] or match[2])
    if "torchtitan" in row["software"] and split.pp_size == 1:
        return _batch(row, split, 1) // split.dp_size
    remarks.append("microbatch not stated, taken as 1")
    return 1


def _batch(row: Measurement, split: Parallelism, micro: int) -> int:
    """Return the sequences of the global batch."""
    text = row["batch_or_concurrency"]
    if match := re.fullmatch(r"local (\d+)", text):
        return int(match[1]) * split.dp_size
    if match := re.fullmatch(r"(\d+)M tokens", text):
        sequences = int(match[1]) * 2**20 // _count(row, "input_len")
        return sequences - sequences % (split.dp_size * micro)
    return _count(row, "batch_or_concurrency")


def _fleet(row: Measurement, hardware: Accelerator, devices: int) -> Fleet:
    """Return the row's devices in the nodes and on the network in which they are sold."""
    known = _FABRICS.get(row["hardware_key"] or "H100 SXM 80GB")
    if known is None:
        raise NotMappedError(f"no node and network known: {row['hardware_key']}")
    sold: Node = getattr(Systems.Nodes, known[0])
    fabric: Link = getattr(Systems.Fabrics, known[1])
    node = Node(name=sold.name, accelerator=hardware, devices=sold.devices, link=sold.link)
    return Fleet(name=f"{devices} x {hardware}", node=node, nodes=-(-devices // node.devices), fabric=fabric)
