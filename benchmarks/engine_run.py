"""Run one engine on one matrix in this process, for `benchmarks/engine.py`.

    python benchmarks/engine_run.py ENGINE MATRIX.npy DIAGRAMS.npz MAX_DIM THRESHOLD

Only that engine need be installed. THRESHOLD is inf for no limit. The script prints
one line of JSON. It holds CPU and wall
seconds of the call alone, after imports and after compiled code was loaded. It also holds, in MB,
the peak memory of the process, its memory before the call, and the memory that pages of files
(libraries) take after the call, which processes share.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PACKAGES = {"gengap": "gengap", "ripser.py": "ripser", "giotto-ph": "giotto-ph", "GUDHI": "gudhi"}

Matrix = NDArray[np.floating]
Engine = Callable[[Matrix], Sequence[ArrayLike]]
"""Computes the bars (births and deaths) of H0, H1, ... from a matrix of dissimilarities."""


def prepare(engine: str, max_dim: int = 1, threshold: float = math.inf) -> Engine:
    """Import an engine, with its compiled code.

    Args:
        engine: its name.
        max_dim: the highest dimension of homology.
        threshold: edges longer than this do not enter.

    Returns:
        The function that computes the diagrams.

    Raises:
        SystemExit: there is no engine of this name.
    """
    if engine == "gengap":
        from gengap.topology import persistence_diagrams
        from gengap.topology.engines.fast import warm

        warm(max_dim)
        return lambda matrix: persistence_diagrams(matrix, max_dim, threshold)
    if engine == "ripser.py":
        from ripser import ripser

        return lambda matrix: ripser(
            matrix, maxdim=max_dim, thresh=threshold, distance_matrix=True
        )["dgms"]
    if engine == "giotto-ph":
        from gph import ripser_parallel

        return lambda matrix: ripser_parallel(
            matrix, maxdim=max_dim, thresh=threshold, metric="precomputed"
        )["dgms"]
    if engine == "GUDHI":
        from gudhi.sklearn import RipsPersistence

        rips = RipsPersistence(
            list(range(max_dim + 1)),
            threshold=threshold,
            input_type="full distance matrix",
            homology_coeff_field=2,
        )
        return lambda matrix: rips.fit_transform([matrix])[0]
    raise SystemExit(f"Unknown engine {engine!r}: choose one of {', '.join(PACKAGES)}.")


def canonical(diagram: ArrayLike) -> NDArray[np.float32]:
    """Return the bars of positive length (n, 2), sorted by birth and death."""
    bars = np.asarray(diagram, np.float32).reshape(-1, 2)
    bars = bars[bars[:, 0] < bars[:, 1]]
    order = np.lexsort((bars[:, 1], bars[:, 0]))
    return bars[order]


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory(field: str) -> float:
    """Return a field of the kernel's account in MB; ru_maxrss starts at the parent's memory."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def main(engine: str, matrix_path: str, diagrams_path: str, max_dim: str, threshold: str) -> None:
    """Run one engine, write its diagrams and print its costs."""
    version = importlib.metadata.version(PACKAGES[engine])
    compute = prepare(engine, int(max_dim), float(threshold))
    matrix = np.load(matrix_path)
    # What was freed goes back to the system and the peak starts anew, so that it is the call's.
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before, cpu, wall = memory("VmRSS"), cpu_seconds(), time.perf_counter()
    diagrams = compute(matrix)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    measured = {"version": version, "cpu_s": cpu, "wall_s": wall, "before_mb": before}
    measured.update(peak_mb=memory("VmHWM"), files_mb=memory("RssFile"))
    arrays: dict[str, Any] = {f"h{k}": canonical(bars) for k, bars in enumerate(diagrams)}
    np.savez(diagrams_path, **arrays)
    print(json.dumps(measured), flush=True)
    # Some engines fail while the interpreter shuts down; the result is complete by now.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
