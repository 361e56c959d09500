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
    from mlsysim.core.models.encoder import Encoder as Encoder
    from mlsysim.core.models.encoder import EncoderDecoder as EncoderDecoder
    from mlsysim.core.models.recommender import Recommender as Recommender
    from mlsysim.core.models.statespace import StateSpace as StateSpace
    from mlsysim.core.models.transformer import Transformer as Transformer
    from mlsysim.core.models.unet import UNet as UNet
    from mlsysim.core.models.vision import ConvNet as ConvNet
    from mlsysim.core.models.vision import VisionTransformer as VisionTransformer
    from mlsysim.core.precision import Precision as Precision
    from mlsysim.core.profile import PerformanceProfile as PerformanceProfile
    from mlsysim.core.roofline import Bottleneck as Bottleneck
    from mlsysim.core.specs import Accelerator as Accelerator
    from mlsysim.core.systems import Datacenter as Datacenter
    from mlsysim.core.systems import Fleet as Fleet
    from mlsysim.core.systems import Grid as Grid
    from mlsysim.core.systems import Link as Link
    from mlsysim.core.systems import Node as Node
    from mlsysim.core.systems import Price as Price
    from mlsysim.registry import Hardware as Hardware
    from mlsysim.registry import Infrastructure as Infrastructure
    from mlsysim.registry import Models as Models
    from mlsysim.registry import Systems as Systems
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
    "ConvNet": "core.models.vision",
    "CrossoverSolver": "solvers.crossover",
    "Datacenter": "core.systems",
    "DifferentialExplainer": "core.explainers",
    "DoesNotFitError": "core.errors",
    "Encoder": "core.models.encoder",
    "EncoderDecoder": "core.models.encoder",
    "Engine": "core.engine",
    "Fleet": "core.systems",
    "Grid": "core.systems",
    "Hardware": "registry",
    "Infrastructure": "registry",
    "Link": "core.systems",
    "MLSysError": "core.errors",
    "MissingSpecError": "core.errors",
    "Models": "registry",
    "Node": "core.systems",
    "PerformanceProfile": "core.profile",
    "Precision": "core.precision",
    "Price": "core.systems",
    "Q_": "core.constants",
    "Recommender": "core.models.recommender",
    "SensitivitySolver": "solvers.sensitivity",
    "ServingModel": "solvers.serving",
    "SingleNodeModel": "solvers.single_node",
    "SpecError": "core.errors",
    "StateSpace": "core.models.statespace",
    "SynthesisSolver": "solvers.synthesis",
    "Systems": "registry",
    "Transformer": "core.models.transformer",
    "UNet": "core.models.unet",
    "UnitError": "core.errors",
    "UnknownNameError": "core.errors",
    "VisionTransformer": "core.models.vision",
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
