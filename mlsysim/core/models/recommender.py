"""Recommendation models: large embedding tables, small dense networks."""

from dataclasses import dataclass
from typing import ClassVar

from mlsysim.core.models.base import Phase, Shape


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommender(Shape):
    """A DLRM: embeddings looked up, pairwise dot products, two stacks of dense layers.

    Parameters
    ----------
    tables, rows, width
        Embedding tables, rows of all tables together, and the width of a row.
    bottom, top
        Widths of the dense stacks, input first; the input of ``top`` is computed from the rest.

    References
    ----------
    .. [naumov2019] M. Naumov et al., "Deep learning recommendation model for personalization and
       recommendation systems", 2019.
    """

    tables: int
    rows: int
    width: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bottom", tuple(self.bottom))
        object.__setattr__(self, "top", tuple(self.top))
        super().__post_init__()

    @property
    def interaction(self) -> int:
        """Inputs of the top stack: the dense features and each pair of feature vectors once."""
        vectors = self.tables + 1
        return self.width + vectors * (vectors - 1) // 2

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        for name in ("bottom", "top"):
            widths = getattr(self, name)
            if len(widths) < 1 or not all(isinstance(n, int) and n > 0 for n in widths):
                faults.append(f"{name} must list whole positive widths; got {widths!r}")
        if not faults and self.bottom[-1] != self.width:
            faults.append(f"bottom must end at the embedding width {self.width}; got {self.bottom[-1]}")
        return faults
