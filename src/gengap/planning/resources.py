"""What the jobs ask for: memory in megabytes, minutes, threads and GPUs.

Memory is bounded by the data and the largest network of a shard and not by the shard's size, since
a job works on one network at a time and keeps few bytes of others; time grows with the shard, and
with the work of its networks. Files say how large data and networks are. Snakemake asks for a
request when a job is to start, which is when these files are there; before that, in a dry run, the
largest of PGDL's are assumed. Requests grow with the attempt where a rule says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gengap import limits
from gengap.errors import GengapError
from gengap.files import safetensors_header
from gengap.planning import kernels, work
from gengap.planning.experiments import ExperimentPlan
from gengap.planning.settings import Settings

# The libraries' own, and data of a small task.
LIBRARIES = 600
# The libraries' own, and what a batch of inputs takes in a network of any width.
WORKING = 1200
# Weights that are held at a time: the network's, its initial ones, with batch normalisation folded
# into them, and those of a perturbed copy with its gradient, its bounds and its moves.
COPIES = 8
# Data of which there is no file yet.
ASSUMED_DATA = 1200
# A network with a batch of inputs, where the batch is not bounded by the network's width.
NETWORK = 2000
# Of an old or shared core; benchmarks/pgdl_scale.py measures up to three times as many.
MULTIPLICATIONS_PER_MINUTE = 60 * 2 * 10**10
# What a GPU's libraries take of the machine's memory, beside it.
GPU_LIBRARIES = 2000
# Of a run of an experiment, besides its kernels or graphs; and the budgets that are assumed.
RUN = 3000
GRAPH_GIB = 4
KERNEL_GIB = 2
RUN_MINUTES = 240
# Many clusters run no longer jobs: up to here a run's request grows when it is repeated.
WEEK = 7 * 24 * 60
# From so many neurons on, a draw's diagrams take long enough for threads to pay.
THREADED_NEURONS = 1000
THREADS = 4


def gpus(device: str) -> int:
    """Return the GPUs that a job asks for: one if a GPU is named; ``auto`` takes what is there."""
    return int(device.startswith("cuda"))


def memory(amount: float, device: str = "cpu") -> int:
    """Return megabytes of a job, the libraries of its GPU included.

    Args:
        amount: what the work itself takes of the machine's memory.
        device: where networks are run; a GPU by name needs libraries of its own.
    """
    return int(amount) + GPU_LIBRARIES * gpus(device)


@dataclass(frozen=True)
class Files:
    """Files that say how large the data and the networks of a shard are.

    Attributes:
        train, test: the task's data.
        specs: of the networks of the shard that are described by a file.
        weights: of the networks of the shard.
        networks: how many networks the shard has.
    """

    train: Path
    test: Path
    specs: tuple[Path, ...]
    weights: tuple[Path, ...]
    networks: int

    @property
    def data(self) -> int:
        """Megabytes of the training data."""
        return megabytes([self.train]) or ASSUMED_DATA

    @property
    def all_data(self) -> int:
        """Megabytes of the training and the test data."""
        return megabytes([self.train, self.test]) or ASSUMED_DATA

    @cached_property
    def work(self) -> list[tuple[int, int] | None]:
        """Multiplications and outputs of each network that a file describes; None if unknown."""
        return list(map(multiplications_of, self.specs))

    @property
    def copies(self) -> int:
        """Megabytes of the copies of the largest network's weights."""
        return COPIES * max((megabytes([path]) for path in self.weights), default=0)


def megabytes(files: Iterable[Path]) -> int:
    """Return the size of those files that are there, rounded up."""
    return math.ceil(sum(file.stat().st_size for file in files if file.exists()) / 1_000_000)


def samples_of(split: Path) -> int:
    """Return the number of samples of a split's file; 0 where it is not there."""
    if not split.exists():
        return 0
    header, _ = safetensors_header(split)
    return int(header["labels"]["shape"][0])


def memory_of_activations(settings: Settings, files: Files, device: str) -> int:
    """Return megabytes of one network's activations beside the task's data.

    Args:
        settings: those under which the task is run.
        files: of the shard.
        device: where networks are run.
    """
    drawn = settings["activations"]
    sample = 4 * drawn["neurons"] * drawn["inputs"] * drawn["draws"]
    beside = 4 * limits.SAMPLED_LAYER_BYTES + limits.LAYER_BYTES
    return memory(LIBRARIES + files.data + files.copies + (sample + beside) // 1_000_000, device)


def memory_of_diagrams(settings: Settings, threads: int, device: str) -> int:
    """Return megabytes of one network's diagrams.

    All activations are held, and for each thread a draw's standardised ones and what the engine
    keeps for each pair of neurons: a few matrices or a list of simplices.

    Args:
        settings: those under which the task is run.
        threads: draws that are computed at a time.
        device: where the correlations are computed.
    """
    drawn = settings["activations"]
    activations = drawn["neurons"] * drawn["inputs"]
    topology = settings["topology"]
    per_pair = limits.engine_bytes_per_pair(topology["engine"], topology["max_dim"])
    a_draw = per_pair * drawn["neurons"] ** 2 + 16 * activations
    of_the_work = 4 * activations * drawn["draws"] + threads * a_draw
    return memory(LIBRARIES + of_the_work // 1_000_000, device)


def minutes_of_diagrams(settings: Settings, networks: int) -> int:
    """Return minutes of the diagrams of a shard of networks, by the engine that computes them."""
    return limits.ENGINE_MINUTES[_engine(settings)] * networks


def diagram_threads(settings: Settings) -> int:
    """Return how many draws of one network are computed at a time.

    Jobs of seconds go faster beside each other with one thread each, and not every engine has
    threads.
    """
    large = settings["activations"]["neurons"] >= THREADED_NEURONS
    return THREADS if large and _engine(settings) in limits.THREADED_ENGINES else 1


def memory_of_measures(families: Iterable[str], files: Files, device: str) -> int:
    """Return megabytes of families of measures, which are computed one after another.

    Args:
        families: their names. Some keep graphs between products, or gradients.
        files: of the shard.
        device: where networks are run.
    """
    held = {
        "curvature": 2 * limits.CURVATURE_GRAPH_BYTES,
        "information": 2 * limits.CURVATURE_GRAPH_BYTES,
        "gradients": 2 * limits.SAMPLE_GRADIENT_BYTES,
    }
    most = max(
        (WORKING if family in work.COUNTED_FAMILIES else NETWORK) + held.get(family, 0) // 1_000_000
        for family in families
    )
    kept = limits.KEPT_NETWORK_BYTES // 1_000_000
    return memory(most + kept + files.data + files.copies, device)


def memory_of_import(files: Files, device: str) -> int:
    """Return megabytes of importing the networks of a shard and running them over all data."""
    return memory(WORKING + files.all_data + files.copies, device)


def memory_of_records(shards: Iterable[Path], device: str) -> int:
    """Return megabytes of reading the examples of PGDL's files, TensorFlow's own included.

    Args:
        shards: the files of the training data; compressed ones need the next attempt.
        device: unused, since nothing is run.
    """
    return memory(WORKING + (megabytes(shards) or ASSUMED_DATA))


def minutes_of_passes(files: Files, passes: int, default: int) -> int:
    """Return minutes of forward passes of single inputs through each network of a shard.

    Args:
        files: of the shard.
        passes: of one network.
        default: minutes of a network whose work is not known.
    """
    unknown = files.networks - len(files.work) + files.work.count(None)
    known = sum(count[0] for count in files.work if count)
    return unknown * default + math.ceil(known * passes / MULTIPLICATIONS_PER_MINUTE)


def minutes_of_activations(settings: Settings, files: Files) -> int:
    """Return minutes of the activations of a shard.

    Args:
        settings: those under which the task is run.
        files: of the shard.
    """
    passes = work.passes_of_activations(settings["activations"])
    return minutes(15, 1, files.networks) + minutes_of_passes(files, passes, 5)


def minutes_of_measures(families: Collection[str], files: Files, *, slow: bool) -> int:
    """Return minutes of all families of measures of a shard.

    A job that is stopped before its end keeps the families that it has computed.

    Args:
        families: their names.
        files: of the shard.
        slow: whether slow measures are computed.
    """
    outputs = max((count[1] for count in files.work if count), default=1)
    samples = samples_of(files.train)
    passes = [work.passes_of_family(family, samples, outputs, slow=slow) for family in families]
    together = sum(minutes_of_passes(files, each, 60) for each in passes if each is not None)
    return minutes(60, 15, files.networks) + 30 * (len(families) - 1) + together


def minutes_of_import(files: Files) -> int:
    """Return minutes of importing a shard, each network run over all data."""
    passes = samples_of(files.train) + samples_of(files.test)
    return minutes(30, 2, files.networks) + minutes_of_passes(files, passes, 60)


def multiplications_of(spec: Path) -> tuple[int, int] | None:
    """Count a network's multiplications, see :func:`gengap.planning.work.multiplications`.

    Returns:
        Their number and that of the outputs; None where they are not known.
    """
    try:
        return work.multiplications(json.loads(spec.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, GengapError):
        return None  # the job says what is wrong with the file


def memory_of_eigenvalues(weights: Path, device: str) -> int:
    """Return megabytes of a network's largest eigenvalues.

    Beside the graphs of the loss there is a Lanczos basis of vectors as long as the weights, with
    as many beside them as a restart takes.

    Args:
        weights: the file of float32 weights; where it is yet to be made it counts as empty, and
            the next attempt asks for more.
        device: where the network is run.
    """
    size = weights.stat().st_size if weights.exists() else 0
    vectors = 2 * (2 * limits.LARGEST_EIGENVALUES + limits.EXTRA_BASIS)
    return memory(
        1500 + 2 * limits.CURVATURE_GRAPH_BYTES // 1_000_000 + vectors * size // 1_000_000, device
    )


def memory_of_checkpoints(files: Iterable[str], device: str) -> int:
    """Return megabytes of reading weights and running each network over all data.

    Args:
        files: those that the networks of a shard are made from. A file's tensors are held beside
            the network's own, and those of its initial weights.
        device: where networks are run.
    """
    largest = max((Path(file).stat().st_size for file in files if Path(file).exists()), default=0)
    return memory(2 * NETWORK + 4 * largest // 1_000_000, device)


def memory_of_run(experiment: ExperimentPlan, settings: Mapping[str, Any], device: str) -> int:
    """Return megabytes of one run of a study's experiment.

    Args:
        experiment: of the run.
        settings: keywords of the run; ``memory_gib`` is its budget of a graph or of a kernel's
            blocks, ``dense_limit`` the most parameters whose whole Hessian is decomposed.
        device: where networks are run.

    Returns:
        The memory of the experiment's entry. Without it 3000 for the libraries, data and networks,
        and the budget: a graph's, 4 GiB by default, or a
        kernel's blocks', 2 by default, with the kernel and its eigenfunctions beside them, see
        :mod:`gengap.planning.kernels`. A whole Hessian takes :data:`gengap.limits.DENSE_BYTES` for
        each pair of parameters.
    """
    if experiment.entry["memory_gb"] is not None:
        return memory(1000 * experiment.entry["memory_gb"], device)
    if experiment.study == kernels.STUDY:
        cost = kernels.cost_of_kernels(experiment.module, settings, on_gpu=gpus(device) > 0)
        blocks = 1024 * settings.get("memory_gib", KERNEL_GIB)
        return memory(RUN + blocks + cost.megabytes, device)
    budget = 1024 * settings.get("memory_gib", GRAPH_GIB)
    whole = limits.DENSE_BYTES * settings.get("dense_limit", 0) ** 2 // 1_000_000
    return memory(RUN + max(budget, whole), device)


def minutes_of_run(experiment: ExperimentPlan, settings: Mapping[str, Any], device: str) -> int:
    """Return minutes of one run of a study's experiment.

    Args:
        experiment: of the run.
        settings: keywords of the run.
        device: where networks are run.

    Returns:
        The hours of the experiment's entry. Without them what the size of a tangent kernel says, or
        four hours.
    """
    hours: float | None = experiment.entry["hours"]
    if hours is not None:
        return math.ceil(60 * hours)
    if experiment.study == kernels.STUDY:
        cost = kernels.cost_of_kernels(experiment.module, settings, on_gpu=gpus(device) > 0)
        return cost.minutes(experiment.entry["threads"])
    return RUN_MINUTES


def minutes_of_attempt(first: int, attempt: int) -> int:
    """Return the minutes that an attempt of a run requests: the first ones times its number.

    They grow to a week at most. A run whose first request is longer repeats that one, since it goes
    on from its state.

    Args:
        first: minutes of the first attempt.
        attempt: its number, from 1.
    """
    return max(first, min(attempt * first, WEEK))


def minutes(one: int, more: int, networks: int) -> int:
    """Return minutes of a shard: of its first network, and of each of the others."""
    return one + more * (networks - 1)


def _engine(settings: Settings) -> str:
    topology = settings["topology"]
    return limits.resolve_engine(topology["engine"], topology["max_dim"])
