"""Questions put to ``mlsysim`` 0.3.0; this file runs in that tool's environment alone.

It reads one question a line from standard input, as JSON, and prints one answer a line: seconds, and whether
the device is the tool's own card, or the reason why there is no answer.

Notes
-----
``ServingModel.solve`` takes one device, a network, a length, a batch and a number format, and has one
efficiency, whose default of 0.5 is kept. The format is that of the arithmetic; weights of fewer bits are told
by ``model_size``, the field of a network for its stored bytes, so that they need not be rounded to 4 or 8.
The length is the prompt where the first token is asked for, and the mean context where the others are. A
request is its first token and the others after it.
"""

import importlib
import json
import sys
from typing import Any

DEVICES = {
    "Google TPU v6e (Trillium)": "Cloud.TPUv6",
    "NVIDIA A100 SXM4 80GB": "Cloud.A100",
    "NVIDIA H100 PCIe 80GB": "Cloud.H100_PCIe",
    "NVIDIA H100 SXM5 80GB": "Cloud.H100",
    "NVIDIA H200 SXM 141GB": "Cloud.H200",
    "NVIDIA Jetson AGX Orin 64GB": "Edge.JetsonAGXOrin",
    "Apple M3 Max": "Workstation.MacBookM3Max",
}
"""The tool's own cards, by the names of the same devices here."""


def network(figures: dict[str, Any], bits: float, types: Any) -> Any:
    """Return a network of the tool with the published figures, its weights of so many bits."""
    stored = types.Q_(figures["parameters"] * bits / 8, "byte")
    shape = {
        "name": figures["name"],
        "architecture": "Transformer",
        "parameters": types.Q_(figures["parameters"], "param"),
        "model_size": stored if bits < 16 else None,
        "layers": figures["layers"],
        "hidden_dim": figures["width"],
        "heads": figures["heads"],
        "kv_heads": figures["kv_heads"],
    }
    if not figures["experts"]:
        return types.TransformerWorkload(**shape)
    return types.SparseTransformerWorkload(
        **shape,
        active_parameters=types.Q_(figures["active_parameters"], "param"),
        experts=figures["experts"],
        active_experts_per_token=figures["experts_per_token"],
    )


def device(figures: dict[str, Any], types: Any) -> tuple[Any, bool]:
    """Return a device, and whether it is the tool's own card; else it has the published figures."""
    if figures["name"] in DEVICES:
        group, card = DEVICES[figures["name"]].split(".")
        return getattr(getattr(types.Hardware, group), card), True
    rates = {name: types.Q_(rate, "flop/s") for name, rate in figures["peak"].items()}
    made = types.HardwareNode(
        name=figures["name"],
        release_year=figures["year"],
        compute=types.ComputeCore(peak_flops=rates["fp16"], precision_flops=rates),
        memory=types.MemoryHierarchy(
            capacity=types.Q_(figures["capacity"], "byte"),
            bandwidth=types.Q_(figures["bandwidth"], "byte/s"),
        ),
    )
    return made, False


def answer(question: dict[str, Any], types: Any) -> dict[str, Any]:
    """Return seconds, or why there are none."""
    if question["tp_size"] * question["stages"] > 1:
        return {"reason": "several devices: ServingModel takes one"}
    asked = network(question["network"], question["weight_bits"], types)
    hardware, is_own = device(question["device"], types)
    model, batch, compute = types.ServingModel(), question["batch"], question["compute"]
    context = max(question["context"], 1)
    seconds = 0.0
    if question["step"] != "decode":
        first = model.solve(asked, hardware, question["prompt"], batch, precision=compute)
        seconds += first.ttft.to("s").magnitude
    if question["step"] != "prefill":
        others = model.solve(asked, hardware, context, batch, precision=compute)
        if not others.feasible:
            return {"reason": "predicted not to fit in memory"}
        steps = question["output"] - 1 if question["step"] == "request" else 1
        seconds += steps * others.itl.to("s").magnitude
    return {"seconds": float(seconds), "own_card": is_own}


class Types:
    """The names of the tool that are used, by import."""

    def __init__(self) -> None:
        tool = importlib.import_module("mlsysim")
        models = importlib.import_module("mlsysim.models.types")
        hardware = importlib.import_module("mlsysim.hardware.types")
        self.Q_, self.Hardware = tool.Q_, tool.Hardware
        self.ServingModel = importlib.import_module("mlsysim.solvers").ServingModel
        self.TransformerWorkload = models.TransformerWorkload
        self.SparseTransformerWorkload = models.SparseTransformerWorkload
        self.HardwareNode, self.ComputeCore = hardware.HardwareNode, hardware.ComputeCore
        self.MemoryHierarchy = hardware.MemoryHierarchy


if __name__ == "__main__":
    names = Types()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), names)))
