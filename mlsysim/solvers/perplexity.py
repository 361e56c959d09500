"""Published accuracy of quantized networks: what a source states, and nothing else.

References
----------
.. [frantar2023] E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained
   transformers", ICLR 2023.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Perplexity:
    """A published perplexity on WikiText-2, weights alone quantized row by row: less is better.

    Parameters
    ----------
    model, full
        The network, and its perplexity at 16 bits.
    bits, method, value
        Bits of a weight, how it was rounded, and the perplexity then.
    source
        Where it is published.
    """

    model: str
    full: float
    bits: int
    method: str
    value: float
    source: str = "Frantar et al., 2023, table 5"

    def __str__(self) -> str:
        return f"{self.value:g} by {self.method}, {self.full:g} at 16 bits"


PERPLEXITIES: Final = (
    Perplexity("OPT-175B", 8.34, 4, "rounding to nearest", 10.54),
    Perplexity("OPT-175B", 8.34, 4, "GPTQ", 8.37),
    Perplexity("OPT-175B", 8.34, 3, "rounding to nearest", 7300.0),
    Perplexity("OPT-175B", 8.34, 3, "GPTQ", 8.68),
    Perplexity("BLOOM-176B", 8.11, 4, "rounding to nearest", 8.37),
    Perplexity("BLOOM-176B", 8.11, 4, "GPTQ", 8.21),
    Perplexity("BLOOM-176B", 8.11, 3, "rounding to nearest", 571.0),
    Perplexity("BLOOM-176B", 8.11, 3, "GPTQ", 8.64),
)
"""Row by row, without groups; activations and cache at 16 bits."""
