"""What a scenario may say: the table from which flags, JSON Schema and the reading of a file follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SOLVE, SERVE, TRAIN = "solve", "serve", "train"
TASKS: Final = (SOLVE, SERVE, TRAIN)
"""The questions that a scenario can ask; other commands look at one of them from another side."""

PRECISIONS: Final = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8", "w8a16", "int4", "int4-g32")
PHASES: Final = ("decode", "prefill", "forward", "train")
CALIBRATIONS: Final = (
    "ideal",
    "serving",
    "tuned",
    "single_user",
    "single_user_gptfast",
    "single_user_llamacpp",
    "single_user_exllama",
    "single_user_mlc",
    "vision",
    "vision_tensorrt",
    "vision_eager",
    "micro",
    "training",
)
GROUPS: Final = ("cloud", "edge", "mobile", "tiny", "wafer", "workstation")
"""Names that the package defines in modules which take long to import; a test compares the two."""

NAME, FILE, INTEGER, NUMBER, QUANTITY, CHOICE = "name", "file", "integer", "number", "quantity", "choice"
NAMES, INTEGERS, CHOICES = "names", "integers", "choices"
LISTS: Final = (NAMES, INTEGERS, CHOICES)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One key of a scenario.

    Parameters
    ----------
    kind
        What it holds: a name in the zoo, a file, a number, a quantity, one of some words, or a list of them.
    says
        What it means.
    example
        A value.
    tasks
        The questions that it belongs to.
    least
        The least number that makes sense.
    most
        The largest number that makes sense; None if any does.
    words
        The words, of a choice.
    cards
        Folder of the cards that it names.
    flag
        How the command line spells it, where that is not the key.
    """

    kind: str
    says: str
    example: object
    tasks: tuple[str, ...] = TASKS
    least: int = 1
    most: int | None = None
    words: tuple[str, ...] = ()
    cards: str = ""
    flag: str = ""


def _count(says: str, example: int, *tasks: str, least: int = 1) -> Field:
    return Field(kind=INTEGER, says=says, example=example, tasks=tasks or TASKS, least=least)


def _several(says: str, least: int = 1) -> Field:
    return Field(kind=INTEGERS, says=says, example=[1, 8, 64], tasks=(SOLVE,), least=least)


MODEL: Final = {
    "name": Field(kind=NAME, says="a network of the zoo", example="Llama3_70B", cards="models", flag="model"),
    "card": Field(
        kind=FILE, says="a card of your own, in the zoo's format", example="mine.toml", flag="model-card"
    ),
    "config": Field(kind=FILE, says="a Hugging Face config.json", example="config.json", flag="model-config"),
}
HARDWARE: Final = {
    "name": Field(kind=NAME, says="a device of the zoo", example="H100", cards="hardware", flag="hardware"),
    "card": Field(
        kind=FILE, says="a card of your own, in the zoo's format", example="mine.toml", flag="hardware-card"
    ),
    "fleet": Field(
        kind=NAME,
        says="a fleet of the zoo, in place of a device",
        example="DGX_SuperPOD_SU_H100",
        tasks=(TRAIN,),
        cards="systems/clusters",
    ),
    "devices": _count("devices that share the work", 8),
    "link": Field(
        kind=NAME,
        says="what joins them; the device's own published link if left out",
        example="NVLink4",
        tasks=(SOLVE, SERVE),
        cards="systems/fabrics",
    ),
}
WORKLOAD: Final = {
    "batch_size": _count("sequences or samples in a step; with a fleet, of the global batch", 8),
    "precision": Field(kind=CHOICE, says="number format", example="fp16", words=PRECISIONS),
    "phase": Field(
        kind=CHOICE,
        says="what the step does; the family's usual one if left out",
        example="decode",
        tasks=(SOLVE,),
        words=PHASES,
    ),
    "context": _count("tokens already in each sequence's cache", 4096, SOLVE, least=0),
    "prompt": _count("tokens that are read in one pass, of each sequence", 1024),
    "output": Field(
        kind=INTEGER,
        says="tokens that each request gets",
        example=256,
        tasks=(SERVE,),
        flag="output-tokens",
    ),
    "shared_prefix": _count("tokens that all prompts begin with", 512, SERVE, least=0),
    "tokens": Field(
        kind=NUMBER, says="tokens of the whole run", example=1_000_000_000_000, tasks=(TRAIN,), least=0
    ),
    "mfu": Field(
        kind=NUMBER,
        says="a utilisation that is stated; without a fleet",
        example=0.4,
        tasks=(TRAIN,),
        least=0,
        most=1,
    ),
    "microbatch_size": _count("sequences that a device takes at once; with a fleet", 1, TRAIN),
    "recompute": Field(
        kind=CHOICE,
        says="what the backward pass computes again; with a fleet",
        example="selective",
        tasks=(TRAIN,),
        words=("none", "selective", "full"),
    ),
    "calibration": Field(
        kind=CHOICE,
        says="how far the machine falls short of the roofline; the family's usual one if left out",
        example="serving",
        words=CALIBRATIONS,
    ),
    "efficiency": Field(
        kind=NUMBER,
        says="share of peak FLOP/s that is reached, in place of the calibration's",
        example=0.6,
        tasks=(SOLVE,),
        least=0,
        most=1,
    ),
}
PARALLELISM: Final = {
    "dp_size": _count("copies of the network", 16, TRAIN),
    "tp_size": _count("devices that split every matrix", 8, TRAIN),
    "pp_size": _count("devices that split the layers", 4, TRAIN),
    "ep_size": _count("devices that split the experts", 8, TRAIN),
    "cp_size": _count("devices that split each sequence", 2, TRAIN),
    "interleave": _count("parts of the layers that each stage holds", 2, TRAIN),
    "zero_stage": Field(
        kind=INTEGER,
        says="what the copies split: 1 optimizer state, 2 gradients too, 3 weights too",
        example=1,
        tasks=(TRAIN,),
        least=0,
        most=3,
    ),
}
TARGET: Final = {
    "latency": Field(
        kind=QUANTITY, says="time of the step", example="50 ms", tasks=(SOLVE,), flag="target-latency"
    ),
    "candidates": Field(
        kind=CHOICE,
        says="group of the zoo whose devices are tried; cloud if left out",
        example="cloud",
        tasks=(SOLVE,),
        words=GROUPS,
    ),
}
SWEEP: Final = {
    "model": Field(
        kind=NAMES,
        says="networks of the zoo",
        example=["Llama3_8B", "Llama3_70B"],
        tasks=(SOLVE,),
        cards="models",
    ),
    "hardware": Field(
        kind=NAMES, says="devices of the zoo", example=["A100", "H100"], tasks=(SOLVE,), cards="hardware"
    ),
    "precision": Field(
        kind=CHOICES, says="number formats", example=["fp16", "fp8"], tasks=(SOLVE,), words=PRECISIONS
    ),
    "calibration": Field(
        kind=CHOICES, says="calibrations", example=["ideal", "serving"], tasks=(SOLVE,), words=CALIBRATIONS
    ),
    "batch_size": _several("batch sizes: a list, '1..64', or '1..4096*2' for 1, 2, 4, …"),
    "context": _several("tokens in the cache, likewise", least=0),
    "prompt": _several("tokens that are read, likewise"),
    "devices": _several("devices that share the step, likewise"),
}
AUDIT: Final = {
    "device_mtbf": Field(
        kind=QUANTITY, says="mean time between failures of one device", example="5.8 year", tasks=(TRAIN,)
    ),
    "storage": Field(
        kind=QUANTITY,
        says="bandwidth to which checkpoints are written",
        example="40 GB/s",
        tasks=(TRAIN,),
    ),
    "restart_time": Field(kind=QUANTITY, says="time to start again", example="10 min", tasks=(TRAIN,)),
    "price": Field(
        kind=QUANTITY, says="rent of a device for an hour", example="2.5 USD/hour", tasks=(TRAIN,)
    ),
    "grid": Field(
        kind=NAME,
        says="where the power comes from",
        example="France",
        tasks=(TRAIN,),
        cards="infrastructure/grids",
    ),
    "pue": Field(
        kind=NUMBER,
        says="power of the site over power of its machines; 1 if left out",
        example=1.1,
        tasks=(TRAIN,),
        least=0,
    ),
    "served_batch_size": _count("sequences in a step, when the network is served", 32, TRAIN),
    "served_prompt": _count("tokens of a prompt, when it is served", 1024, TRAIN),
    "served_output": _count("tokens of an answer, when it is served", 256, TRAIN),
}
SECTIONS: Final[Mapping[str, Mapping[str, Field]]] = {
    "model": MODEL,
    "hardware": HARDWARE,
    "workload": WORKLOAD,
    "parallelism": PARALLELISM,
    "target": TARGET,
    "sweep": SWEEP,
    "audit": AUDIT,
}
"""Tables of a scenario; ``[assert]`` comes besides, with limits on what is answered."""

SAYS: Final[Mapping[str, str]] = {
    "model": "The network: one of name, card and config.",
    "hardware": "The machine: one of name, card and fleet.",
    "workload": "What the machine is asked to do.",
    "parallelism": "How a training run is split over a fleet; the best split is searched if left out.",
    "target": "What `synthesize` is asked for.",
    "sweep": "What `sweep` varies; the rest stays as the other tables say.",
    "audit": "What `audit` needs to know besides.",
    "assert": "Limits on what is answered, as in latency = '<= 50 ms' or fits = true.",
}

USES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "solve": (SOLVE, ("model", "hardware", "workload")),
    "serve": (SERVE, ("model", "hardware", "workload")),
    "train": (TRAIN, ("model", "hardware", "workload", "parallelism")),
    "sensitivity": (SOLVE, ("model", "hardware", "workload")),
    "synthesize": (SOLVE, ("model", "hardware", "workload", "target")),
    "sweep": (SOLVE, ("model", "hardware", "workload", "sweep")),
    "audit": (TRAIN, ("model", "hardware", "workload", "parallelism", "audit")),
}
"""For each command that takes a scenario: its question, and the tables that it reads."""

UNUSED: Final[Mapping[str, frozenset[str]]] = {
    "synthesize": frozenset({"devices", "link"}),
    "audit": frozenset({"name", "card", "mfu"}),
}
"""Keys of [hardware] and [workload] that a command has no use for, and refuses."""


def flags(command: str) -> dict[str, tuple[str, str, Field]]:
    """Return what each flag of a command stands for: table, key and field.

    In a sweep, what can vary is a list.

    Examples
    --------
    >>> flags("solve")["batch-size"][:2], flags("sweep")["batch-size"][:2]
    (('workload', 'batch_size'), ('sweep', 'batch_size'))
    """
    task, tables = USES[command]
    refused = UNUSED.get(command, frozenset())
    return {
        field.flag or key.replace("_", "-"): (table, key, field)
        for table in tables
        for key, field in SECTIONS[table].items()
        if task in field.tasks and not (key in refused and table != "model")
    }
