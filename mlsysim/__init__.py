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
    from mlsysim.core.errors import MissingSpecError as MissingSpecError
    from mlsysim.core.errors import MLSysError as MLSysError
    from mlsysim.core.errors import UnitError as UnitError
    from mlsysim.core.explainers import DifferentialExplainer as DifferentialExplainer
    from mlsysim.core.models.transformer import Transformer as Transformer
    from mlsysim.core.models.vision import ConvNet as ConvNet
    from mlsysim.core.parallelism import Parallelism as Parallelism
    from mlsysim.core.precision import Precision as Precision
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
    from mlsysim.solvers.audit import full_stack_audit as full_stack_audit
    from mlsysim.solvers.batching import BatchingOptimizer as BatchingOptimizer
    from mlsysim.solvers.capacity import CapacityModel as CapacityModel
    from mlsysim.solvers.checkpoint import CheckpointModel as CheckpointModel
    from mlsysim.solvers.collective import CollectiveModel as CollectiveModel
    from mlsysim.solvers.compression import CompressionModel as CompressionModel
    from mlsysim.solvers.continuous_batching import ContinuousBatchingModel as ContinuousBatchingModel
    from mlsysim.solvers.crossover import CrossoverSolver as CrossoverSolver
    from mlsysim.solvers.data import DataModel as DataModel
    from mlsysim.solvers.disaggregation import DisaggregationModel as DisaggregationModel
    from mlsysim.solvers.distributed import DistributedModel as DistributedModel
    from mlsysim.solvers.economics import EconomicsModel as EconomicsModel
    from mlsysim.solvers.inference_scaling import InferenceScalingModel as InferenceScalingModel
    from mlsysim.solvers.kv_cache import KVCacheModel as KVCacheModel
    from mlsysim.solvers.levers import ElasticitySolver as ElasticitySolver
    from mlsysim.solvers.levers import InverseSolver as InverseSolver
    from mlsysim.solvers.orchestration import OrchestrationModel as OrchestrationModel
    from mlsysim.solvers.parallelism import ParallelismOptimizer as ParallelismOptimizer
    from mlsysim.solvers.pipeline import Pipeline as Pipeline
    from mlsysim.solvers.placement import PlacementOptimizer as PlacementOptimizer
    from mlsysim.solvers.reliability import ReliabilityModel as ReliabilityModel
    from mlsysim.solvers.scaling import ScalingModel as ScalingModel
    from mlsysim.solvers.sensitivity import SensitivitySolver as SensitivitySolver
    from mlsysim.solvers.serving import ServingModel as ServingModel
    from mlsysim.solvers.single_node import SingleNodeModel as SingleNodeModel
    from mlsysim.solvers.speculative import SpeculativeDecodingModel as SpeculativeDecodingModel
    from mlsysim.solvers.sustainability import SustainabilityModel as SustainabilityModel
    from mlsysim.solvers.synthesis import SynthesisSolver as SynthesisSolver
    from mlsysim.solvers.tail_latency import TailLatencyModel as TailLatencyModel
    from mlsysim.solvers.topology import TopologyModel as TopologyModel
    from mlsysim.solvers.training import TrainingModel as TrainingModel
    from mlsysim.solvers.training_memory import TrainingMemoryModel as TrainingMemoryModel
    from mlsysim.solvers.transformation import TransformationModel as TransformationModel
    from mlsysim.solvers.weight_streaming import WeightStreamingModel as WeightStreamingModel
    from mlsysim.sweeping import sweep as sweep

__version__ = "1.0.0.dev0"

_HOME = {
    "Accelerator": "core.specs",
    "ArgumentError": "core.errors",
    "BatchingOptimizer": "solvers.batching",
    "Bottleneck": "core.roofline",
    "Calibration": "core.calibration",
    "CapacityModel": "solvers.capacity",
    "CheckpointModel": "solvers.checkpoint",
    "CollectiveModel": "solvers.collective",
    "CompressionModel": "solvers.compression",
    "ContinuousBatchingModel": "solvers.continuous_batching",
    "ConvNet": "core.models.vision",
    "CrossoverSolver": "solvers.crossover",
    "DataModel": "solvers.data",
    "Datacenter": "core.systems",
    "DifferentialExplainer": "core.explainers",
    "DisaggregationModel": "solvers.disaggregation",
    "DistributedModel": "solvers.distributed",
    "EconomicsModel": "solvers.economics",
    "ElasticitySolver": "solvers.levers",
    "Engine": "core.engine",
    "Fleet": "core.systems",
    "Grid": "core.systems",
    "Hardware": "registry",
    "InferenceScalingModel": "solvers.inference_scaling",
    "Infrastructure": "registry",
    "InverseSolver": "solvers.levers",
    "KVCacheModel": "solvers.kv_cache",
    "Link": "core.systems",
    "MLSysError": "core.errors",
    "MissingSpecError": "core.errors",
    "Models": "registry",
    "Node": "core.systems",
    "OrchestrationModel": "solvers.orchestration",
    "Parallelism": "core.parallelism",
    "ParallelismOptimizer": "solvers.parallelism",
    "Pipeline": "solvers.pipeline",
    "PlacementOptimizer": "solvers.placement",
    "Precision": "core.precision",
    "Price": "core.systems",
    "Q_": "core.constants",
    "ReliabilityModel": "solvers.reliability",
    "ScalingModel": "solvers.scaling",
    "SensitivitySolver": "solvers.sensitivity",
    "ServingModel": "solvers.serving",
    "SingleNodeModel": "solvers.single_node",
    "SpeculativeDecodingModel": "solvers.speculative",
    "SustainabilityModel": "solvers.sustainability",
    "SynthesisSolver": "solvers.synthesis",
    "Systems": "registry",
    "TailLatencyModel": "solvers.tail_latency",
    "TopologyModel": "solvers.topology",
    "TrainingMemoryModel": "solvers.training_memory",
    "TrainingModel": "solvers.training",
    "TransformationModel": "solvers.transformation",
    "Transformer": "core.models.transformer",
    "UnitError": "core.errors",
    "WeightStreamingModel": "solvers.weight_streaming",
    "full_stack_audit": "solvers.audit",
    "sweep": "sweeping",
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
