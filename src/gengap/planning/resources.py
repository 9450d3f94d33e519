"""What the jobs ask for: memory in megabytes, minutes, threads and GPUs.

Memory is bounded by the largest network of a shard and not by the shard's size, since a job works
on one network at a time; time grows with the shard. Requests grow with the attempt where a rule
says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gengap import limits
from gengap.planning.settings import Settings

# The libraries' own, data of a small task, and a network with a batch of inputs.
LIBRARIES = 600
NETWORK = 2000
# What a GPU's libraries take of the machine's memory, beside it.
GPU_LIBRARIES = 2000
# Of a run of an experiment, besides its kernels or graphs; and the budget that is assumed for one.
RUN = 3000
DEFAULT_GIB = 2
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


def memory_of_activations(settings: Settings, device: str) -> int:
    """Return megabytes of one network's activations, which are held twice while they are written.

    Args:
        settings: those under which the task is run.
        device: where networks are run.
    """
    drawn = settings["activations"]
    sample = 4 * drawn["neurons"] * drawn["inputs"] * drawn["draws"]
    return memory(NETWORK + 2 * sample // 1_000_000, device)


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


def memory_of_measures(families: Iterable[str], device: str) -> int:
    """Return megabytes of families of measures, which are computed one after another.

    Args:
        families: their names. Some keep graphs between products, or gradients.
        device: where networks are run.
    """
    held = {
        "curvature": 2 * limits.CURVATURE_GRAPH_BYTES,
        "information": 2 * limits.CURVATURE_GRAPH_BYTES,
        "gradients": 2 * limits.SAMPLE_GRADIENT_BYTES,
    }
    most = max((held.get(family, 0) for family in families), default=0)
    return memory(NETWORK + most // 1_000_000, device)


def minutes_of_measures(networks: int, families: int) -> int:
    """Return minutes of all families of measures of a shard of networks.

    A job that is stopped before its end keeps the families that it has computed.
    """
    return minutes(60, 15, networks) + 30 * (families - 1)


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


def memory_of_run(settings: Mapping[str, Any], device: str) -> int:
    """Return megabytes of one run of a study's experiment.

    Args:
        settings: keywords of the experiment; ``memory_gib`` is its budget of each kernel or graph.
        device: where networks are run.

    Returns:
        3000 for the libraries, data and networks, and twice the budget, since one kernel is made
        from another. Without a budget 4 GiB: two kernels of 2 or a graph's diagrams of 4, which are
        the experiments' defaults.
    """
    return memory(RUN + 2 * 1024 * settings.get("memory_gib", DEFAULT_GIB), device)


def minutes(one: int, more: int, networks: int) -> int:
    """Return minutes of a shard: of its first network, and of each of the others."""
    return one + more * (networks - 1)


def _engine(settings: Settings) -> str:
    topology = settings["topology"]
    return limits.resolve_engine(topology["engine"], topology["max_dim"])
