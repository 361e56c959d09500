"""Networks from the ``config.json`` beside a checkpoint on Hugging Face."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mlsysim import cards
from mlsysim.architectures import ARCHITECTURES, Config
from mlsysim.core.errors import ArgumentError, SpecError
from mlsysim.core.models import Model
from mlsysim.core.models.base import whole_number

SUPPORTED: Final = tuple(sorted({*ARCHITECTURES, "gemma3"}))
"""Every ``model_type`` that can be read; ``gemma3`` holds a ``gemma3_text`` beside its vision tower."""


def from_hf_config(
    source: str | Path | Mapping[str, Any], name: str | None = None, *, context: int | None = None
) -> Model:
    """Build a network from a Hugging Face ``config.json``.

    Of a network that sees and reads, the language model is built; heads that predict several tokens at once
    (``num_nextn_predict_layers``) are left out, as published counts leave them out.

    Parameters
    ----------
    source
        Path of a ``config.json``, or of a folder that holds one, or its content as a mapping.
    name
        What to call the network; else the last part of ``_name_or_path``, else the architecture.
    context
        Longest context, where the file does not say it (Mamba, some BLOOM) or you know better. [token]

    Raises
    ------
    SpecError
        If there is no such file, it is no JSON object, its architecture is not supported, a field is
        missing or malformed, or its layers are mixed in a way that cannot be counted.
    ArgumentError
        If *source* is neither a path nor a mapping, or *context* is no whole positive number.

    Examples
    --------
    >>> from mlsysim.core.counting import parameters
    >>> config = {"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
    ...           "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
    ...           "max_position_embeddings": 4096}
    >>> model = from_hf_config(config, name="Llama-2-7B")
    >>> f"{model}: {parameters(model) / 1e9:.2f} billion parameters"
    'Llama-2-7B: 6.74 billion parameters'
    >>> from_hf_config({"model_type": "rwkv"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.SpecError: config: model_type 'rwkv' is not supported; supported are bloom, ...
    """
    if context is not None and (whole_number(context) or 0) < 1:
        raise ArgumentError(f"context must be a whole positive number of tokens; got {context!r}")
    if isinstance(source, Mapping):
        fields, where = source, "config"
    elif isinstance(source, str | Path):
        path = Path(source) / "config.json" if Path(source).is_dir() else Path(source)
        fields, where = _load(path), str(path)
    else:
        raise ArgumentError(f"source must be the path of a config.json, or a mapping; got {source!r}")
    kind, prefix, text = _kind(fields, f"{where}: ", SUPPORTED), f"{where}: ", fields
    if kind == "gemma3":
        prefix, text = f"{where}: text_config.", _text(fields, where)
        kind = _kind({"model_type": "gemma3_text", **text}, prefix, ARCHITECTURES)
    read, tied, model = ARCHITECTURES[kind]
    values = read(Config(text, prefix, kind, tied, context))
    values["name"] = name if name is not None else _name(fields) or kind
    return cards.construct(model, values, {}, where)


def _load(path: Path) -> Mapping[str, Any]:
    """Return what a file holds, or say in which line it is no JSON."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(
            f"{path}: there is no such file; give a config.json or a folder that holds one"
        ) from None
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})"
        ) from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not valid UTF-8 text ({error.reason} at byte {error.start})") from None
    if not isinstance(fields, dict):
        raise SpecError(f"{path}: must hold a JSON object with model_type; got {type(fields).__name__}")
    return fields


def _kind(fields: Mapping[str, Any], where: str, known: Collection[str]) -> str:
    """Return the architecture, or name those that are supported."""
    kind, supported = fields.get("model_type"), f"supported are {', '.join(known)}"
    if kind is None:
        raise SpecError(f"{where}model_type is missing; {supported}")
    if not isinstance(kind, str) or kind not in known:
        raise SpecError(f"{where}model_type {kind!r} is not supported; {supported}")
    return kind


def _text(fields: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the part that describes the language model of a network that also sees."""
    text = fields.get("text_config")
    if not isinstance(text, Mapping):
        raise SpecError(f"{where}: text_config is missing; a gemma3 config needs it")
    return text


def _name(fields: Mapping[str, Any]) -> str:
    """Return the name that the file itself gives, without its folder; empty if it gives none."""
    path = fields.get("_name_or_path")
    return PurePosixPath(path).name if isinstance(path, str) else ""
