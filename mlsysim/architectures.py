"""What the fields of a Hugging Face ``config.json`` mean, architecture by architecture.

Each architecture has a function that turns its fields into those of a shape. A field may be absent only where
Transformers itself works out or documents its value; the sizes of a network are never filled in, except
those of Gemma 3, whose published files leave them out.

References
----------
.. [transformers] Hugging Face, Transformers 5.23, ``models/*/configuration_*.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mlsysim.core.errors import SpecError
from mlsysim.core.models import Model, StateSpace, Transformer
from mlsysim.core.models.base import whole_number
from mlsysim.core.specs import FrozenMap

FULL, SLIDING = "full_attention", "sliding_attention"

_Names = Mapping[str, tuple[str, ...]]
"""The names of a size, the architecture's own first."""

_DECODER: Final[_Names] = {
    "layers": ("num_hidden_layers",),
    "width": ("hidden_size",),
    "heads": ("num_attention_heads",),
    "context": ("max_position_embeddings",),
}
_GPT: Final[_Names] = {
    "layers": ("n_layer", "num_hidden_layers"),
    "width": ("n_embd", "hidden_size"),
    "heads": ("n_head", "num_attention_heads"),
    "context": ("n_positions", "max_position_embeddings"),
}
_FALCON: Final[_Names] = {
    "layers": ("num_hidden_layers", "n_layer"),
    "width": ("hidden_size", "n_embed"),
    "heads": ("num_attention_heads", "n_head"),
    "context": ("max_position_embeddings",),
}
_BLOOM: Final[_Names] = {**_FALCON, "context": ("seq_length",)}


@dataclass(frozen=True)
class Config:
    """The fields of a ``config.json``, read with complaints that name file, field and remedy."""

    fields: Mapping[str, Any]
    where: str
    kind: str
    tied: bool
    context: int | None

    @property
    def title(self) -> str:
        """What a sentence calls such a file."""
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind} config"

    def fault(self, text: str) -> SpecError:
        """Return the error that says where *text* applies."""
        return SpecError(f"{self.where}{text}")

    def number(self, *names: str, absent: int | None = None, null: int | None = None, least: int = 1) -> int:
        """Return a whole number that goes by any of *names*.

        Parameters
        ----------
        names
            The architecture's own name first, as messages use it.
        absent, null
            The value where no name is there, and where one is there as null (None: as if absent).
        least
            Smallest value that makes sense.
        """
        found = {}
        for name in (n for n in names if self.fields.get(n) is not None):
            value = whole_number(self.fields[name])
            if value is None or value < least:
                raise self.fault(
                    f"{name} must be a whole number of at least {least}; got {self.fields[name]!r}"
                )
            found[name] = value
        if len(set(found.values())) > 1:
            raise self.fault(" and ".join(f"{k} ({v})" for k, v in found.items()) + " disagree; keep one")
        if null is not None and any(n in self.fields for n in names):
            absent = null
        if not found and absent is None:
            raise self.fault(f"{names[0]} is missing; {self.title} needs it")
        return next(iter(found.values()), absent or 0)

    def optional(self, name: str, absent: int | None) -> int | None:
        """Return a whole number, None where the file says null, *absent* where it says nothing."""
        if name not in self.fields:
            return absent
        return None if self.fields[name] is None else self.number(name)

    def flag(self, name: str, *, absent: bool) -> bool:
        """Return true or false, *absent* where the file says null or nothing."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.fault(f"{name} must be true or false; got {value!r}")
        return absent if value is None else value

    def refuse(self, name: str, reason: str) -> None:
        """Refuse a switch that changes the counts in a way that no shape here can say."""
        if self.flag(name, absent=False):
            raise self.fault(f"{name} is not supported: {reason}")


def _decoder(
    c: Config,
    names: _Names = _DECODER,
    *,
    gated: bool = True,
    grouped: bool = True,
    kv_heads: int | None = None,
    head_size: int | None = None,
    vocab: int | None = None,
    heads: int | None = None,
    context: int | None = None,
) -> dict[str, Any]:
    """Read what all decoders say; the keywords after *grouped* are values of absent fields."""
    width, count = c.number(*names["width"]), c.number(*names["heads"], absent=heads)
    if head_size is None and c.fields.get("head_dim") is None and width % count:
        raise c.fault(
            f"head_dim is missing, and {width} ({names['width'][0]}) is no multiple of {count} heads"
        )
    return {
        "layers": c.number(*names["layers"]),
        "width": width,
        "heads": count,
        "kv_heads": c.number("num_key_value_heads", absent=kv_heads, null=count) if grouped else count,
        "head_size": c.number("head_dim", absent=head_size or width // count),
        "gated": gated,
        "vocab": c.number("vocab_size", absent=vocab),
        "tied": c.flag("tie_word_embeddings", absent=c.tied),
        "context": _context(c, *names["context"], absent=context),
    }


def _context(c: Config, *names: str, absent: int | None = None) -> int:
    """Return the longest context: the reader's word, or the file's."""
    if c.context is not None:
        return c.context
    if absent is None and not any(c.fields.get(n) is not None for n in names):
        said = f"{names[0]} is missing" if names else f"{c.title} does not say the longest context"
        raise c.fault(f"{said}; give it as in from_hf_config(…, context=2048)")
    return c.number(*names, absent=absent)


def _sight(c: Config, layers: int, window: int | None, default: Callable[[int], str]) -> dict[str, Any]:
    """Return how far the layers see: as ``layer_types`` says, or by the architecture's own rule."""
    kinds = c.fields.get("layer_types")
    if kinds is None:
        kinds = [default(i) if window else FULL for i in range(layers)]
    if not isinstance(kinds, list | tuple) or len(kinds) != layers:
        raise c.fault(f"layer_types must list one kind for each of the {layers} layers; got {kinds!r}")
    if other := [kind for kind in kinds if kind not in (FULL, SLIDING)]:
        raise c.fault(f"layer_types has {other[0]!r}; only {FULL} and {SLIDING} can be counted")
    far = kinds.count(FULL)
    if far == layers:
        return {}
    if window is None:
        raise c.fault(f"sliding_window is missing; layer_types has {layers - far} layers that need it")
    every = layers // far if far else 0
    if far and layers // every != far:
        raise c.fault(
            f"{far} of {layers} layers have full attention, which is not each n-th layer for any n; such a "
            "mixture cannot be counted"
        )
    return {"window": window, "global_every": every}


def _every(window: int | None) -> dict[str, Any]:
    """Return the sight of a network whose layers all have the window, if there is one."""
    return {} if window is None else {"window": window}


def _dense(c: Config, width: str = "intermediate_size") -> dict[str, Any]:
    return {"ffn_width": c.number(width)}


def _llama(c: Config) -> dict[str, Any]:
    shape = _decoder(c, kv_heads=c.number("num_attention_heads"))
    return shape | _dense(c) | _sight(c, shape["layers"], None, lambda _: FULL)


def _mistral(c: Config) -> dict[str, Any]:
    shape, window = _decoder(c), c.optional("sliding_window", 4096)
    return shape | _dense(c) | _sight(c, shape["layers"], window, lambda _: SLIDING)


def _mixtral(c: Config) -> dict[str, Any]:
    window = _every(c.optional("sliding_window", None))
    return _decoder(c) | window | _experts(c, "intermediate_size", "num_local_experts", "num_experts")


def _experts(c: Config, width: str, *count: str) -> dict[str, Any]:
    return {
        "experts": c.number(*count),
        "experts_per_token": c.number("num_experts_per_tok", "experts_per_token"),
        "expert_width": c.number(width),
    }


def _qwen_window(c: Config) -> int | None:
    return c.optional("sliding_window", 4096) if c.flag("use_sliding_window", absent=False) else None


def _qwen(c: Config, head_size: int | None = None) -> dict[str, Any]:
    shape, far = _decoder(c, head_size=head_size), c.number("max_window_layers", absent=28, least=0)
    sight = _sight(c, shape["layers"], _qwen_window(c), lambda i: FULL if i < far else SLIDING)
    return shape | _dense(c) | sight


def _qwen2_moe(c: Config) -> dict[str, Any]:
    shape, near = _decoder(c), c.number("max_window_layers", absent=28, least=0)
    sight = _sight(
        c, shape["layers"], _qwen_window(c), lambda i: SLIDING if i % 2 == 0 and i < near else FULL
    )
    sparse = _sparse(c, shape["layers"])
    if "experts" in sparse:
        shared, each = c.number("shared_expert_intermediate_size", least=0), sparse["expert_width"]
        if shared % each:
            raise c.fault(
                f"shared_expert_intermediate_size ({shared}) must be a multiple of moe_intermediate_size "
                f"({each}); other shared experts cannot be counted"
            )
        sparse["shared_experts"] = shared // each
    return shape | sparse | sight


def _qwen3_moe(c: Config) -> dict[str, Any]:
    shape = _decoder(c)
    return shape | _sparse(c, shape["layers"]) | _every(_qwen_window(c))


def _sparse(c: Config, layers: int) -> dict[str, Any]:
    """Return the experts of a Qwen network, and which of its layers have them."""
    step, dense = c.number("decoder_sparse_step", absent=1), c.fields.get("mlp_only_layers") or []
    if not isinstance(dense, list) or not set(dense) <= set(range(layers)):
        raise c.fault(f"mlp_only_layers must list layers below {layers}; got {dense!r}")
    sparse = [i not in dense and (i + 1) % step == 0 for i in range(layers)]
    experts = c.number("num_experts", "num_local_experts", least=0)
    if not experts or not any(sparse):
        return _dense(c)
    shape = _experts(c, "moe_intermediate_size", "num_experts", "num_local_experts")
    first = sparse.index(True)
    if sum(sparse) == layers // step:
        shape["moe_every"] = step
    elif all(sparse[first:]):
        shape["dense_layers"] = first
    else:
        raise c.fault(
            f"mlp_only_layers ({dense}) and decoder_sparse_step ({step}) mix layers in a way that cannot be "
            "counted; dense layers must come first, or experts in each n-th layer"
        )
    return shape | ({} if all(sparse) else _dense(c))


def _gemma(c: Config) -> dict[str, Any]:
    c.refuse("use_bidirectional_attention", "every token would see the ones behind it too")
    return _decoder(c, head_size=256) | _dense(c)


def _gemma2(c: Config) -> dict[str, Any]:
    shape, window = _gemma(c), c.optional("sliding_window", 4096)
    return shape | _sight(c, shape["layers"], window, lambda i: FULL if i % 2 else SLIDING)


def _gemma3(c: Config) -> dict[str, Any]:
    c.refuse("use_bidirectional_attention", "every token would see the ones behind it too")
    shape = _decoder(c, heads=8, kv_heads=4, head_size=256, vocab=262_208, context=131_072)
    every = c.number("sliding_window_pattern", "_sliding_window_pattern", absent=6)
    window = c.optional("sliding_window", 4096)
    sight = _sight(c, shape["layers"], window, lambda i: SLIDING if (i + 1) % every else FULL)
    return shape | _dense(c) | sight


def _deepseek(c: Config, leading: int) -> dict[str, Any]:
    shape = _decoder(c, grouped=False, head_size=c.number("qk_nope_head_dim"))
    dense = c.number("first_k_dense_replace", absent=leading, least=0)
    if dense >= shape["layers"]:
        raise c.fault(f"first_k_dense_replace ({dense}) leaves none of {shape['layers']} layers for experts")
    if (step := c.number("moe_layer_freq", absent=1)) != 1:
        raise c.fault(f"moe_layer_freq ({step}) is not supported; only 1 is, experts in every later layer")
    latent = {
        "head_size": c.number("qk_nope_head_dim"),
        "rope_size": c.number("qk_rope_head_dim"),
        "value_size": c.number("v_head_dim"),
        "kv_rank": c.number("kv_lora_rank"),
        "q_rank": c.optional("q_lora_rank", 1536) or 0,
        "dense_layers": dense,
        "shared_experts": c.number("n_shared_experts", null=0, least=0),
    }
    routed = _experts(c, "moe_intermediate_size", "n_routed_experts", "num_experts", "num_local_experts")
    return shape | latent | routed | (_dense(c) if dense else {})


def _phi(c: Config, *, gated: bool) -> dict[str, Any]:
    shape = _decoder(c, gated=gated, kv_heads=c.number("num_attention_heads"))
    return shape | _dense(c) | _every(c.optional("sliding_window", None) if gated else None)


def _gpt_oss(c: Config) -> dict[str, Any]:
    shape, window = _decoder(c, head_size=64), c.optional("sliding_window", 128)
    routed = _experts(c, "intermediate_size", "num_local_experts", "num_experts")
    return shape | routed | _sight(c, shape["layers"], window, lambda i: FULL if i % 2 else SLIDING)


def _falcon(c: Config) -> dict[str, Any]:
    shape = _decoder(c, _FALCON, gated=False, grouped=False, context=2048)
    shape["ffn_width"] = c.number("ffn_hidden_size", absent=4 * shape["width"])
    if c.flag("new_decoder_architecture", absent=False) or not c.flag("multi_query", absent=True):
        shape["kv_heads"] = c.number("num_kv_heads", "n_head_kv", absent=shape["heads"])
    else:
        shape["kv_heads"] = 1
    return shape


def _gpt(c: Config, *, learned: bool) -> dict[str, Any]:
    c.refuse("add_cross_attention", "there would be a second attention in each layer")
    shape = _decoder(c, _GPT, gated=False, grouped=False)
    positions = c.number(*_GPT["context"]) if learned else 0
    return shape | {"ffn_width": c.number("n_inner", absent=4 * shape["width"]), "positions": positions}


def _gpt_neox(c: Config) -> dict[str, Any]:
    return _decoder(c, gated=False, grouped=False) | _dense(c)


def _opt(c: Config) -> dict[str, Any]:
    shape = _decoder(c, gated=False, grouped=False) | _dense(c, "ffn_dim")
    if (table := c.number("word_embed_proj_dim", absent=shape["width"])) != shape["width"]:
        raise c.fault(
            f"word_embed_proj_dim ({table}) differs from hidden_size ({shape['width']}); the projections "
            "between them cannot be counted"
        )
    return shape | {"positions": c.number("max_position_embeddings")}


def _bloom(c: Config) -> dict[str, Any]:
    shape = _decoder(c, _BLOOM, gated=False, grouped=False)
    return shape | {"ffn_width": 4 * shape["width"]}


def _mamba(c: Config) -> dict[str, Any]:
    width = c.number("hidden_size")
    automatic = c.fields.get("time_step_rank", "auto") == "auto"
    return {
        "layers": c.number("num_hidden_layers"),
        "width": width,
        "inner": c.number("intermediate_size", absent=c.number("expand", absent=2) * width),
        "state": c.number("state_size", absent=16),
        "conv": c.number("conv_kernel", absent=4),
        "dt_rank": -(-width // 16) if automatic else c.number("time_step_rank"),
        "vocab": c.number("vocab_size"),
        "tied": c.flag("tie_word_embeddings", absent=c.tied),
        "context": _context(c),
    }


class Architecture(NamedTuple):
    """How a ``model_type`` is read, and whether its tables are one where the file does not say."""

    read: Callable[[Config], dict[str, Any]]
    tied: bool = False
    model: type[Model] = Transformer


ARCHITECTURES: Final[Mapping[str, Architecture]] = FrozenMap(
    {
        "bloom": Architecture(_bloom, tied=True),
        "deepseek_v2": Architecture(lambda c: _deepseek(c, 0)),
        "deepseek_v3": Architecture(lambda c: _deepseek(c, 3)),
        "falcon": Architecture(_falcon, tied=True),
        "gemma": Architecture(_gemma, tied=True),
        "gemma2": Architecture(_gemma2, tied=True),
        "gemma3_text": Architecture(_gemma3, tied=True),
        "gpt2": Architecture(lambda c: _gpt(c, learned=True), tied=True),
        "gpt_neox": Architecture(_gpt_neox),
        "gpt_oss": Architecture(_gpt_oss),
        "gptj": Architecture(lambda c: _gpt(c, learned=False)),
        "llama": Architecture(_llama),
        "mamba": Architecture(_mamba, tied=True, model=StateSpace),
        "mistral": Architecture(_mistral),
        "mixtral": Architecture(_mixtral),
        "opt": Architecture(_opt, tied=True),
        "phi": Architecture(lambda c: _phi(c, gated=False)),
        "phi3": Architecture(lambda c: _phi(c, gated=True)),
        "qwen2": Architecture(_qwen),
        "qwen2_moe": Architecture(_qwen2_moe),
        "qwen3": Architecture(lambda c: _qwen(c, 128)),
        "qwen3_moe": Architecture(_qwen3_moe),
    }
)
"""The architectures that can be read, by ``model_type``."""
