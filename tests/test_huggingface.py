"""Networks from ``config.json``: real files against published counts and against the zoo."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlsysim import Models
from mlsysim.core.counting import count, kv_bytes_per_token, parameters
from mlsysim.core.models import Model, Phase, StateSpace, Transformer
from mlsysim.core.precision import precision
from mlsysim.huggingface import SUPPORTED, from_hf_config

CONFIGS = Path(__file__).parent / "hf_configs"

MLC = "mlc-ai/mlc-llm python/mlc_llm/model/model_preset.py"
KERAS = "keras-team/keras-hub keras_hub/src/models"


class Origin(NamedTuple):
    """Where a file was read (repository and path), what was published, and the card of the same network."""

    source: str
    parameters: float
    card: str | None = None
    differs: frozenset[str] = frozenset()
    """Fields in which file and card disagree; the reason stands beside the entry."""
    context: int | None = None
    tables: int = 0
    """Embedding tables that the publisher counts besides those that the network has."""
    counted: str = "the card's source"


ORIGINS = {
    "DeepSeek-V2-Lite": Origin(
        "deepseek-ai/DeepSeek-V2-Lite config.json",
        15.71e9,
        "DeepSeek_V2_Lite",
        frozenset({"context"}),  # the file has the longest position, the card what the paper claims
    ),
    "DeepSeek-V3": Origin(
        "ByteDance-Seed/VeOmni configs/model_configs/deepseek/DeepseekV3_671B.json", 671e9, "DeepSeek_V3"
    ),
    "Llama-3.1-8B": Origin(f"{MLC}, llama3_1_8b", 8_030_261_248, "Llama3_8B"),
    "Llama-3.2-1B": Origin(f"{MLC}, llama3_2_1b", 1.23e9, "Llama3_2_1B"),
    "Mistral-7B-v0.1": Origin(f"{MLC}, mistral_7b", 7_241_732_096, "Mistral_7B"),
    "Mixtral-8x7B-v0.1": Origin(f"{MLC}, Mixtral-8x7B-v0.1", 46_702_792_704, "Mixtral_8x7B"),
    "Phi-3-mini-4k-instruct": Origin(
        f"{MLC}, phi-3",
        3_821_079_552,
        "Phi3_mini",
        frozenset({"window"}),  # 2047 tokens behind the one that looks, 2048 with it
    ),
    "Qwen1.5-MoE-A2.7B": Origin(
        f"{MLC}, qwen2moe", 14_315_784_192, counted=f"{KERAS}/qwen_moe/qwen_moe_presets.py"
    ),
    "Qwen2.5-7B": Origin(
        f"{MLC}, qwen2_7b (the same shape)",
        7.62e9,
        "Qwen2_5_7B",
        frozenset({"context"}),  # the card has the context with YaRN
    ),
    "Qwen3-30B-A3B": Origin("Qwen/Qwen3-30B-A3B config.json", 30_532_122_624, "Qwen3_30B_A3B"),
    "Qwen3-8B": Origin(
        "sanjithudupa/compute-aware-arch-search Qwen3-8B/config.json", 8_190_735_360, "Qwen3_8B"
    ),
    "bloom-3b": Origin(
        "ShadowConYT/ai_tutoring_system_with_llm bloom/config.json",
        3_002_557_440,
        context=2048,
        counted=f"{KERAS}/bloom/bloom_presets.py",
    ),
    "bloom-560m": Origin(
        "bigscience/bloom-560m config.json", 559_214_592, counted=f"{KERAS}/bloom/bloom_presets.py"
    ),
    "falcon-7b": Origin(
        "tiiuae/falcon-7b config.json",
        7.22e9,
        "Falcon_7B",
        frozenset({"tied"}),  # files store the table twice, Transformers shares it
        tables=1,
    ),
    "gemma-2-9b": Origin(f"{MLC}, gemma2_9b", 9_241_705_984, "Gemma2_9B"),
    "gemma-2b": Origin(f"{MLC}, gemma_2b", 2_506_172_416, "Gemma_2B"),
    "gemma-3-12b": Origin(
        "ostris/ai-toolkit extensions_built_in/diffusion_models/ltx2/ltx2.py",
        11_765_788_416,
        "Gemma3_12B",
        frozenset({"vocab"}),  # 64 more rows for images beside the text
    ),
    "gemma-3-1b-it": Origin(
        f"{MLC}, gemma3_1b_it",
        999_885_952,
        "Gemma3_1B",
        frozenset({"context"}),  # the card has that of the larger ones
    ),
    "gpt-j-6b": Origin(f"{MLC}, gpt_j", 6_053_381_344, "GPTJ_6B"),
    "gpt-neox-20b": Origin(
        "huggingface/transformers src/transformers/models/gpt_neox/configuration_gpt_neox.py, defaults",
        20_554_567_680,
        "GPT_NeoX_20B",
    ),
    "gpt-oss-20b": Origin("EchoCog/gpt-oss-20b config.json", 20_914_757_184, "GPT_OSS_20B"),
    "gpt2": Origin(f"{MLC}, gpt2", 124_439_808, "GPT2"),
    "mamba-130m": Origin("state-spaces/mamba-130m-hf config.json", 129.5e6, "Mamba_130M", context=2048),
    "opt-125m": Origin(
        "huggingface/transformers src/transformers/models/opt/configuration_opt.py, defaults",
        125_237_760,
        counted=f"{KERAS}/opt/opt_presets.py",
    ),
    "phi-2": Origin("henryhmko/VLM_interpretability phi-2/config.json", 2.78e9, "Phi2"),
}

NAMING = {"name", "aliases", "published", "sources"}


def text(stem: str) -> dict[str, Any]:
    """The content of a real file."""
    content: dict[str, Any] = json.loads((CONFIGS / f"{stem}.json").read_text("utf-8"))
    return content


def built(stem: str) -> Model:
    return from_hf_config(CONFIGS / f"{stem}.json", context=ORIGINS[stem].context)


def decoder(stem: str, **changes: Any) -> Transformer:
    """A decoder from a real file in which something was changed."""
    network = from_hf_config({**text(stem), **changes})
    assert isinstance(network, Transformer)
    return network


def without(stem: str, *names: str) -> dict[str, Any]:
    return {k: v for k, v in text(stem).items() if k not in names}


def test_every_file_has_an_origin():
    assert sorted(p.stem for p in CONFIGS.iterdir()) == sorted(ORIGINS)


def test_every_architecture_has_a_file():
    assert {text(stem)["model_type"] for stem in ORIGINS} == set(SUPPORTED)


@pytest.mark.parametrize("stem", ORIGINS)
def test_parameters_are_those_published(stem):
    network, origin = built(stem), ORIGINS[stem]
    table = network.vocab * network.width  # type: ignore[union-attr]

    assert parameters(network) + origin.tables * table == pytest.approx(origin.parameters, rel=0.005)


@pytest.mark.parametrize("stem", [stem for stem, origin in ORIGINS.items() if origin.card])
def test_file_and_card_are_one_network(stem):
    network, origin = built(stem), ORIGINS[stem]
    card = getattr(Models.Language, str(origin.card))
    names = {f.name for f in fields(card)} - NAMING
    unequal = {name for name in names if getattr(network, name) != getattr(card, name)}

    assert type(network) is type(card)
    assert unequal == origin.differs


@pytest.mark.parametrize("stem", [s for s, o in ORIGINS.items() if o.card and not o.differs - {"context"}])
@pytest.mark.parametrize("phase", [Phase.DECODE, Phase.PREFILL])
def test_file_and_card_count_alike(stem, phase):
    fp16 = precision("fp16")
    work = [
        count(network, phase, fp16, batch=3.0, context=5000.0, prompt=5000.0)
        for network in (built(stem), getattr(Models.Language, str(ORIGINS[stem].card)))
    ]

    assert work[0] == work[1]


def test_a_folder_a_text_and_a_mapping_say_the_same(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(text("gpt2")), "utf-8")
    networks = [
        from_hf_config(source, "g")
        for source in (tmp_path, str(tmp_path), tmp_path / "config.json", text("gpt2"))
    ]

    assert networks == [networks[0]] * 4


def test_name_is_given_or_read_or_the_architecture():
    config = text("gpt2")

    assert from_hf_config(config, "mine").name == "mine"
    assert from_hf_config({**config, "_name_or_path": "openai-community/gpt2-small"}).name == "gpt2-small"
    assert from_hf_config({**config, "_name_or_path": ""}).name == "gpt2"


def test_context_of_the_reader_wins():
    assert decoder("gpt2").context == 1024
    assert from_hf_config(text("gpt2"), context=512).context == 512  # type: ignore[union-attr]
    assert decoder("falcon-7b").context == 2048


TIED = {"bloom", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "mamba", "opt"}
"""Architectures for which Transformers shares the tables unless a file says otherwise."""


@pytest.mark.parametrize("stem", ORIGINS)
def test_tables_are_shared_where_transformers_shares_them(stem):
    config = without(stem, "tie_word_embeddings")
    network = from_hf_config(config, context=2048)

    assert network.tied is (config["model_type"] in TIED)  # type: ignore[union-attr]


def test_windows_by_layer():
    """Mistral slides in all layers, Gemma 2 in each other, Gemma 3 in five of six, Qwen in the last."""
    assert (decoder("Mistral-7B-v0.1").window, decoder("Mistral-7B-v0.1").global_layers) == (4096, 0)
    assert decoder("Mistral-7B-v0.1", sliding_window=None).window is None
    assert decoder("gemma-2-9b").global_layers == 21
    assert decoder("gemma-3-1b-it").global_layers == 26 // 6
    assert decoder("gemma-3-1b-it", sliding_window_pattern=2).global_layers == 13
    half = decoder("Qwen2.5-7B", use_sliding_window=True, sliding_window=1000, max_window_layers=14)
    assert (half.window, half.global_layers) == (1000, 14)
    assert decoder("Qwen2.5-7B", use_sliding_window=True, max_window_layers=0).global_layers == 0
    assert decoder("Qwen2.5-7B", use_sliding_window=True).window is None
    odd = decoder("Qwen1.5-MoE-A2.7B", use_sliding_window=True, max_window_layers=24)
    assert odd.global_layers == 12
    assert decoder("Qwen3-30B-A3B", use_sliding_window=True, sliding_window=64).global_layers == 0


def test_layer_types_come_before_the_rule():
    types = ["sliding_attention"] * 3 + ["full_attention"]

    assert decoder("gemma-2-9b", num_hidden_layers=8, layer_types=types * 2).global_layers == 2
    assert decoder("Llama-3.1-8B", num_hidden_layers=4, layer_types=["full_attention"] * 4).window is None


def test_experts_by_layer():
    """Sparse layers: each second, or all but the leading ones; dense networks have none."""
    second = decoder("Qwen3-30B-A3B", decoder_sparse_step=2)
    assert (second.moe_layers, second.ffn_width) == (24, 6144)
    leading = decoder("Qwen3-30B-A3B", mlp_only_layers=[0, 1, 2])
    assert (leading.dense_layers, leading.moe_layers) == (3, 45)
    dense = decoder("Qwen3-30B-A3B", num_experts=0)
    assert (dense.experts, dense.ffn_width) == (0, 6144)
    assert decoder("Qwen1.5-MoE-A2.7B").shared_experts == 4
    assert decoder("Qwen1.5-MoE-A2.7B", shared_expert_intermediate_size=0).shared_experts == 0
    assert decoder("DeepSeek-V3", n_shared_experts=None).shared_experts == 0
    assert decoder("DeepSeek-V3", first_k_dense_replace=0).ffn_width == 0


def test_heads_by_architecture():
    assert decoder("Llama-3.1-8B", num_key_value_heads=None).kv_heads == 32
    assert from_hf_config(without("Llama-3.1-8B", "num_key_value_heads")).kv_heads == 32  # type: ignore[union-attr]
    assert decoder("Mistral-7B-v0.1", num_key_value_heads=None).kv_heads == 32
    assert from_hf_config(without("Qwen3-8B", "head_dim")).head_size == 128  # type: ignore[union-attr]
    assert from_hf_config(without("gpt-oss-20b", "head_dim")).head_size == 64  # type: ignore[union-attr]
    assert decoder("falcon-7b").kv_heads == 1
    assert decoder("falcon-7b", multi_query=False).kv_heads == 71
    assert decoder("falcon-7b", new_decoder_architecture=True, num_kv_heads=None).kv_heads == 71


def test_latent_attention_caches_its_rank():
    """512 numbers and 64 rotary ones for each of 61 layers, two bytes each."""
    assert kv_bytes_per_token(decoder("DeepSeek-V3"), precision("fp16")) == (512 + 64) * 61 * 2
    absent = from_hf_config(without("DeepSeek-V2-Lite", "q_lora_rank"))
    assert (decoder("DeepSeek-V2-Lite").q_rank, absent.q_rank) == (0, 1536)  # type: ignore[union-attr]


def test_gemma3_without_sizes_has_those_of_transformers():
    """The 4B file leaves its heads, vocabulary and context to the library."""
    part = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
    network = from_hf_config({"model_type": "gemma3", "text_config": part})

    assert parameters(network) == pytest.approx(3_880_099_328, rel=0.005)
    assert isinstance(network, Transformer)
    assert (network.context, network.heads, network.kv_heads, network.vocab) == (131_072, 8, 4, 262_208)
    assert network.global_layers == 34 // 6


def test_mamba_works_out_what_is_absent():
    network = from_hf_config(
        without("mamba-130m", "intermediate_size", "time_step_rank", "state_size", "conv_kernel", "expand"),
        name="Mamba-130M",
        context=2048,
    )

    assert isinstance(network, StateSpace)
    assert network == built("mamba-130m").__class__(**{**vars(built("mamba-130m")), "name": "Mamba-130M"})


def test_names_of_older_files_are_read():
    older = {"n_layer": 32, "n_head": 71, "n_embed": 4544}
    file = without("falcon-7b", "num_hidden_layers", "num_attention_heads", "hidden_size")

    assert from_hf_config({**file, **older}) == built("falcon-7b")
