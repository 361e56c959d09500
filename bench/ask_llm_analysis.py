"""Questions put to ``llm-analysis`` 0.2.2; this file runs in that tool's environment alone.

It reads one question a line from standard input, as JSON, and prints one answer a line: seconds, and whether
the device is the tool's own card, or the reason why there is no answer.

Notes
-----
``LLMAnalysis.inference`` takes prompt, generated tokens, batch, tensor parallelism and two efficiencies. Its
defaults of one are a lower bound by its own words; the shares that its manual gives for inference are kept.
Its feed-forward layer has two matrices, so the width of a gated one is one and a half times as large, which
keeps the weights. Weights have the bits of the row; 8-bit floats are taken as 8-bit integers. An empty prompt
is taken as one token.
"""

import importlib
import json
import logging
import sys
from typing import Any

FLOPS_EFFICIENCY, MEMORY_EFFICIENCY = 0.7, 0.9
"""Shares of the datasheet that the tool's manual gives for inference."""

DEVICES = {
    "NVIDIA A100 PCIe 80GB": "a100-pcie-80gb",
    "NVIDIA A100 SXM4 80GB": "a100-sxm-80gb",
    "NVIDIA A10G 24GB": "a10g-pcie-24gb",
    "NVIDIA H100 PCIe 80GB": "h100-pcie-80gb",
    "NVIDIA H100 SXM5 80GB": "h100-sxm-80gb",
    "NVIDIA RTX A6000 48GB": "a6000-48gb",
}
"""The tool's own cards, by the names of the same devices here."""

MESSAGE_LATENCY = 8e-6
"""Least time of a message [s] between devices that the tool has no card of: that of all its cards."""


def network(figures: dict[str, Any], config: Any) -> Any:
    """Return a network of the tool with the published figures."""
    width = figures["expert_width"] or figures["ffn_width"]
    matrices = 3 if figures["gated"] else 2
    return config.ModelConfig(
        name=figures["name"],
        num_layers=figures["layers"],
        n_head=figures["heads"],
        hidden_dim=figures["width"],
        vocab_size=figures["vocab"],
        max_seq_len=figures["context"],
        num_key_value_heads=figures["kv_heads"],
        ffn_embed_dim=width * matrices / 2,
        expansion_ratio=width * matrices / 2 / figures["width"],
        moe_num_experts=figures["experts"] or 1,
        moe_top_k=figures["experts_per_token"] or 1,
    )


def device(figures: dict[str, Any], link: float | None, config: Any) -> tuple[Any, bool]:
    """Return a device, and whether it is the tool's own card; else it has the published figures."""
    if figures["name"] in DEVICES:
        return config.gpu_configs[DEVICES[figures["name"]]], True
    peak = figures["peak"]
    made = config.GPUConfig(
        name=figures["name"],
        mem_per_GPU_in_GB=figures["capacity"] / 2**30,
        hbm_bandwidth_in_GB_per_sec=figures["bandwidth"] / 1e9,
        intra_node_bandwidth_in_GB_per_sec=(link or 0.0) / 1e9,
        intra_node_min_message_latency=MESSAGE_LATENCY,
        peak_fp16_TFLOPS=peak["fp16" if "fp16" in peak else "bf16"] / 1e12,
        peak_i8_TFLOPS=peak["int8"] / 1e12 if "int8" in peak else None,
        peak_i4_TFLOPS=peak["int4"] / 1e12 if "int4" in peak else None,
    )
    return made, False


def answer(question: dict[str, Any], analysis: Any, config: Any) -> dict[str, Any]:
    """Return seconds, or why there are none."""
    if question["stages"] > 1:
        return {"reason": "layers split: the latency of a pipeline is that of one of its stages"}
    hardware, is_own = device(question["device"], question["link"], config)
    asked = analysis.LLMAnalysis(
        network(question["network"], config),
        hardware,
        config.DtypeConfig(
            weight_bits=question["weight_bits"], activation_bits=8 if question["compute"] == "fp8" else 16
        ),
        config.ParallelismConfig(tp_size=question["tp_size"]),
        flops_efficiency=FLOPS_EFFICIENCY,
        hbm_memory_efficiency=MEMORY_EFFICIENCY,
    )
    try:
        found = asked.inference(
            batch_size_per_gpu=question["batch"],
            seq_len=question["prompt"] or 1,
            num_tokens_to_generate=question["output"] or 1,
        )
    except AssertionError as refused:
        return {"reason": reason(str(refused))}
    key = {"decode": "decode_latency", "prefill": "prefill_latency"}.get(question["step"], "total_latency")
    return {"seconds": float(found[key]), "own_card": is_own}


def reason(refused: str) -> str:
    """Return why the tool refuses a question, without the figures."""
    if "too large" in refused or "fit in GPU memory" in refused:
        return "predicted not to fit in memory"
    return f"refused: {refused.split('(', maxsplit=1)[0].strip() or 'a check of the tool on itself fails'}"


if __name__ == "__main__":
    tool = importlib.import_module("llm_analysis.analysis")
    settings = importlib.import_module("llm_analysis.config")
    settings.logger.setLevel(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), tool, settings)))
