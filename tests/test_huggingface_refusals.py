"""What a ``config.json`` must not be: each refusal in its words, with file, field and remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlsysim import ArgumentError
from mlsysim.core.errors import SpecError
from mlsysim.huggingface import SUPPORTED, from_hf_config

CONFIGS = Path(__file__).parent / "hf_configs"


def text(stem: str) -> dict[str, Any]:
    """The content of a real file."""
    content: dict[str, Any] = json.loads((CONFIGS / f"{stem}.json").read_text("utf-8"))
    return content


def fault(config: Any, **kwargs: Any) -> str:
    """The one error that a malformed config gives."""
    with pytest.raises(SpecError) as raised:
        from_hf_config(config, **kwargs)
    return str(raised.value)


def without(stem: str, *names: str) -> dict[str, Any]:
    return {k: v for k, v in text(stem).items() if k not in names}


@pytest.mark.parametrize(
    ("stem", "changes", "message"),
    [
        ("gpt2", {"n_embd": "768"}, "n_embd must be a whole number of at least 1; got '768'"),
        ("gpt2", {"n_layer": -12}, "n_layer must be a whole number of at least 1; got -12"),
        ("gpt2", {"n_layer": True}, "n_layer must be a whole number of at least 1; got True"),
        ("gpt2", {"hidden_size": 1024}, "n_embd (768) and hidden_size (1024) disagree; keep one"),
        ("gpt2", {"n_embd": 770}, "head_dim is missing, and 770 (n_embd) is no multiple of 12 heads"),
        (
            "gpt2",
            {"add_cross_attention": True},
            "add_cross_attention is not supported: there would be a second attention in each layer",
        ),
        ("phi-2", {"tie_word_embeddings": "no"}, "tie_word_embeddings must be true or false; got 'no'"),
        (
            "gemma-2b",
            {"use_bidirectional_attention": True},
            "use_bidirectional_attention is not supported: every token would see the ones behind it too",
        ),
        (
            "gemma-3-1b-it",
            {"use_bidirectional_attention": True},
            "use_bidirectional_attention is not supported: every token would see the ones behind it too",
        ),
        (
            "opt-125m",
            {"word_embed_proj_dim": 512},
            (
                "word_embed_proj_dim (512) differs from hidden_size (768); the projections between them "
                "cannot be counted"
            ),
        ),
        (
            "Qwen1.5-MoE-A2.7B",
            {"shared_expert_intermediate_size": 5000},
            (
                "shared_expert_intermediate_size (5000) must be a multiple of moe_intermediate_size (1408); "
                "other shared experts cannot be counted"
            ),
        ),
        (
            "Qwen3-30B-A3B",
            {"mlp_only_layers": [5]},
            (
                "mlp_only_layers ([5]) and decoder_sparse_step (1) mix layers in a way that cannot be "
                "counted; dense layers must come first, or experts in each n-th layer"
            ),
        ),
        (
            "Qwen3-30B-A3B",
            {"mlp_only_layers": [99]},
            "mlp_only_layers must list layers below 48; got [99]",
        ),
        ("Qwen3-30B-A3B", {"mlp_only_layers": 3}, "mlp_only_layers must list layers below 48; got 3"),
        (
            "DeepSeek-V3",
            {"first_k_dense_replace": 61},
            "first_k_dense_replace (61) leaves none of 61 layers for experts",
        ),
        (
            "DeepSeek-V3",
            {"moe_layer_freq": 2},
            "moe_layer_freq (2) is not supported; only 1 is, experts in every later layer",
        ),
        (
            "gpt-oss-20b",
            {"num_hidden_layers": 3, "layer_types": ["full_attention", "linear_attention", "full_attention"]},
            "layer_types has 'linear_attention'; only full_attention and sliding_attention can be counted",
        ),
        (
            "gpt-oss-20b",
            {"num_hidden_layers": 3, "layer_types": ["full_attention"]},
            "layer_types must list one kind for each of the 3 layers; got ['full_attention']",
        ),
        (
            "gpt-oss-20b",
            {
                "num_hidden_layers": 3,
                "layer_types": ["full_attention", "sliding_attention", "full_attention"],
            },
            (
                "2 of 3 layers have full attention, which is not each n-th layer for any n; "
                "such a mixture cannot be counted"
            ),
        ),
        (
            "Llama-3.1-8B",
            {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]},
            "sliding_window is missing; layer_types has 1 layers that need it",
        ),
        (
            "Qwen2.5-7B",
            {"use_sliding_window": True, "max_window_layers": 21},
            (
                "21 of 28 layers have full attention, which is not each n-th layer for any n; "
                "such a mixture cannot be counted"
            ),
        ),
        (
            "Llama-3.1-8B",
            {"num_key_value_heads": 5},
            "Transformer 'llama': kv_heads (5) must divide heads (32)",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(stem, changes, message):
    assert fault({**text(stem), **changes}) == f"config: {message}"


def sizes() -> list[tuple[str, str]]:
    """Each size of a few files, without which there is no network."""
    common = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads")
    routed = ("num_experts_per_tok", "n_routed_experts", "moe_intermediate_size", "kv_lora_rank")
    return [
        *(("Llama-3.1-8B", name) for name in common),
        *(("DeepSeek-V3", name) for name in (*common, *routed, "v_head_dim", "n_shared_experts")),
        *(("Mistral-7B-v0.1", name) for name in ("num_key_value_heads",)),
        *(("gpt2", name) for name in ("n_layer", "n_embd", "n_head")),
        *(("opt-125m", name) for name in ("ffn_dim",)),
        *(("Mixtral-8x7B-v0.1", name) for name in ("num_local_experts",)),
    ]


@pytest.mark.parametrize(("stem", "name"), sizes())
def test_a_missing_size_is_named(tmp_path, stem, name):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(without(stem, name)), "utf-8")
    kind = text(stem)["model_type"]
    article = "an" if kind == "opt" else "a"

    assert fault(path) == f"{path}: {name} is missing; {article} {kind} config needs it"


def test_an_empty_name_is_refused():
    assert fault(text("gpt2"), name="") == "config: Transformer '': name must be a text; got ''"


def test_a_missing_context_says_how_to_give_it():
    how = "give it as in from_hf_config(…, context=2048)"

    assert fault(text("mamba-130m")) == f"config: a mamba config does not say the longest context; {how}"
    assert fault(text("bloom-3b")) == f"config: seq_length is missing; {how}"
    assert (
        fault(without("phi-2", "max_position_embeddings"))
        == f"config: max_position_embeddings is missing; {how}"
    )


def test_an_unknown_architecture_is_refused_by_name():
    supported = f"supported are {', '.join(SUPPORTED)}"

    assert fault({"model_type": "rwkv"}) == f"config: model_type 'rwkv' is not supported; {supported}"
    assert fault({"model_type": ["llama"]}) == f"config: model_type ['llama'] is not supported; {supported}"
    assert fault({"architectures": ["LlamaForCausalLM"]}) == f"config: model_type is missing; {supported}"


def test_the_text_part_of_gemma3_is_read_with_its_place():
    config = text("gemma-3-12b")
    inner = config["text_config"]

    assert fault({"model_type": "gemma3"}) == "config: text_config is missing; a gemma3 config needs it"
    assert (
        fault({**config, "text_config": {**inner, "hidden_size": 0}})
        == "config: text_config.hidden_size must be a whole number of at least 1; got 0"
    )
    message = fault({**config, "text_config": {**inner, "model_type": "gemma3"}})
    assert message.startswith("config: text_config.model_type 'gemma3' is not supported; supported are bloom")


def test_malformed_json_says_line_and_column(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{\n  "model_type": "llama",\n  "hidden_size": oops\n}', "utf-8")

    assert fault(path) == f"{path}: not valid JSON at line 3, column 18 (Expecting value)"


def test_a_file_that_is_no_config_is_refused(tmp_path):
    path = tmp_path / "config.json"

    missing = f"{path}: there is no such file; give a config.json or a folder that holds one"
    assert fault(path) == fault(tmp_path) == missing
    path.write_text("[]", "utf-8")
    assert fault(path) == f"{path}: must hold a JSON object with model_type; got list"
    path.write_bytes(b'{"model_type": "\xff"}')
    assert fault(path) == f"{path}: not valid UTF-8 text (invalid start byte at byte 16)"


@pytest.mark.parametrize("context", [0, -1, 2.5, "2048", True])
def test_a_context_that_is_none_is_refused(context):
    with pytest.raises(ArgumentError, match="context must be a whole positive number of tokens; got"):
        from_hf_config(text("gpt2"), context=context)


@pytest.mark.parametrize("source", [None, 7, ["config.json"]])
def test_a_source_that_is_none_is_refused(source):
    with pytest.raises(ArgumentError, match=r"source must be the path of a config.json, or a mapping; got"):
        from_hf_config(source)
