"""First-principles performance of machine-learning systems.

The names below load on first use, so that ``import mlsysim`` costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsysim.core.calibration import Calibration as Calibration
    from mlsysim.core.constants import Q_ as Q_
    from mlsysim.core.constants import ureg as ureg
    from mlsysim.core.engine import Engine as Engine
    from mlsysim.core.errors import ArgumentError as ArgumentError
    from mlsysim.core.errors import DoesNotFitError as DoesNotFitError
    from mlsysim.core.errors import MissingSpecError as MissingSpecError
    from mlsysim.core.errors import MLSysError as MLSysError
    from mlsysim.core.errors import SpecError as SpecError
    from mlsysim.core.errors import UnitError as UnitError
    from mlsysim.core.errors import UnknownNameError as UnknownNameError
    from mlsysim.core.explainers import DifferentialExplainer as DifferentialExplainer
    from mlsysim.core.models import ConvNet as ConvNet
    from mlsysim.core.models import Encoder as Encoder
    from mlsysim.core.models import Transformer as Transformer
    from mlsysim.core.models import VisionTransformer as VisionTransformer
    from mlsysim.core.precision import Precision as Precision
    from mlsysim.core.profile import PerformanceProfile as PerformanceProfile
    from mlsysim.core.roofline import Bottleneck as Bottleneck
    from mlsysim.core.specs import Accelerator as Accelerator
    from mlsysim.registry import Hardware as Hardware
    from mlsysim.registry import Models as Models
    from mlsysim.solvers.crossover import CrossoverSolver as CrossoverSolver
    from mlsysim.solvers.sensitivity import SensitivitySolver as SensitivitySolver
    from mlsysim.solvers.serving import ServingModel as ServingModel
    from mlsysim.solvers.single_node import SingleNodeModel as SingleNodeModel
    from mlsysim.solvers.synthesis import SynthesisSolver as SynthesisSolver

__version__ = "1.0.0.dev0"

_HOME = {
    "Accelerator": "core.specs",
    "ArgumentError": "core.errors",
    "Bottleneck": "core.roofline",
    "Calibration": "core.calibration",
    "ConvNet": "core.models",
    "CrossoverSolver": "solvers.crossover",
    "DifferentialExplainer": "core.explainers",
    "DoesNotFitError": "core.errors",
    "Encoder": "core.models",
    "Engine": "core.engine",
    "Hardware": "registry",
    "MLSysError": "core.errors",
    "MissingSpecError": "core.errors",
    "Models": "registry",
    "PerformanceProfile": "core.profile",
    "Precision": "core.precision",
    "Q_": "core.constants",
    "SensitivitySolver": "solvers.sensitivity",
    "ServingModel": "solvers.serving",
    "SingleNodeModel": "solvers.single_node",
    "SpecError": "core.errors",
    "SynthesisSolver": "solvers.synthesis",
    "Transformer": "core.models",
    "UnitError": "core.errors",
    "UnknownNameError": "core.errors",
    "VisionTransformer": "core.models",
    "ureg": "core.constants",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module 'mlsysim' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"mlsysim.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
