"""What requests ask for: their lengths and their rate, checked alike for every solver that serves them.

References
----------
.. [kwon2023] W. Kwon et al., "Efficient memory management for large language model serving with
   PagedAttention", SOSP 2023. Section 7.2 sets the block to 16 tokens.
"""

from typing import Any, Final, NamedTuple

import pint

from mlsysim.core.arguments import Arguments
from mlsysim.core.engine import check_pair
from mlsysim.core.models import Transformer
from mlsysim.core.specs import Accelerator

BLOCK_SIZE: Final = 16
"""Tokens of a block where nothing else is asked for: the default of vLLM [kwon2023]_."""


class Lengths(NamedTuple):
    """Tokens of a request, and of the blocks that cache them.

    Parameters
    ----------
    prompt, output, longest
        Tokens in, tokens out, and the most that may come out.
    shared
        Tokens at the start of every prompt that fill whole blocks and are alike.
    block
        Tokens of a block.
    """

    prompt: int
    output: int
    longest: int
    shared: int
    block: int

    @property
    def total(self) -> int:
        """Tokens of a whole sequence."""
        return self.prompt + self.output

    def blocks(self, tokens: int) -> int:
        """Tokens of the whole blocks that hold *tokens*."""
        return -(-tokens // self.block) * self.block


def check_lengths(
    given: Arguments,
    model: Any,
    prompt: Any,
    output: Any,
    *,
    longest_output: Any = None,
    shared_prefix: Any = 0,
    block_size: Any = BLOCK_SIZE,
) -> Lengths:
    """Return the lengths of a request, or note what is wrong with them."""
    written = given.count("output", output)
    read = given.count("prompt", prompt)
    longest = written if longest_output is None else given.count("longest_output", longest_output)
    shared = given.count("shared_prefix", shared_prefix, least=0)
    block = given.count("block_size", block_size)
    if longest < written:
        given.fault(f"longest_output ({longest:,}) must be at least output ({written:,})")
    if shared and shared >= read:
        given.fault(
            f"shared_prefix ({shared:,}) must be shorter than prompt ({read:,}): its last token is new"
        )
    if isinstance(model, Transformer) and read + longest > model.context:
        named = "output" if longest_output is None else "longest_output"
        given.fault(
            f"prompt and {named}, {read + longest:,} tokens, exceed the context of {model}, "
            f"{model.context:,} tokens"
        )
    return Lengths(read, written, longest, shared // block * block, block)


def check_generator(given: Arguments, model: Any, hardware: Any) -> None:
    """Note a network that generates no text from a cache, or a device that is none."""
    if isinstance(hardware, Accelerator) and not isinstance(model, Transformer | Accelerator):
        given.fault(f"model must generate text, as Models.Llama3_8B does; got {model!r}")
    else:
        check_pair(given, model, hardware)


def check_rate(given: Arguments, arrival_rate: Any) -> float:
    """Return the arrival rate in requests per second, or note what is wrong with it."""
    if isinstance(arrival_rate, pint.Quantity) and arrival_rate.magnitude == 0:
        given.fault("arrival_rate must be positive; at 0 nobody waits, and a request takes its service time")
        return 1.0
    return given.quantity("arrival_rate", arrival_rate, "1/s")
