"""One engine on one matrix in this process, for `benchmarks/engine.py`; needs that engine only.

    python benchmarks/engine_run.py ENGINE MATRIX.npy DIAGRAMS.npz

Prints one line of JSON: CPU and wall seconds of the call alone (after imports, and after loading
compiled code), and in MB the peak memory of the process, its memory before the call, and how much
of it are, after the call, pages of files (libraries), which processes share.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time

import numpy as np

PACKAGES = {"gengap": "gengap", "ripser.py": "ripser", "giotto-ph": "giotto-ph", "GUDHI": "gudhi"}


def prepare(engine: str):
    if engine == "gengap":
        from gengap.topology import persistence_diagrams
        from gengap.topology.engines.fast import warm

        warm()
        return persistence_diagrams
    if engine == "ripser.py":
        from ripser import ripser

        return lambda matrix: ripser(matrix, distance_matrix=True)["dgms"]
    if engine == "giotto-ph":
        from gph import ripser_parallel

        return lambda matrix: ripser_parallel(matrix, metric="precomputed")["dgms"]
    if engine == "GUDHI":
        from gudhi.sklearn import RipsPersistence

        rips = RipsPersistence([0, 1], input_type="full distance matrix", homology_coeff_field=2)
        return lambda matrix: rips.fit_transform([matrix])[0]
    raise SystemExit(f"Unknown engine {engine!r}: choose one of {', '.join(PACKAGES)}.")


def tidy(bars) -> np.ndarray:
    bars = np.asarray(bars, np.float32).reshape(-1, 2)
    bars = bars[bars[:, 0] < bars[:, 1]]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory(field: str) -> float:
    """In MB. The kernel's own peak counter, since ru_maxrss begins with the parent's memory."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def main(engine: str, matrix_path: str, diagrams_path: str) -> None:
    version = importlib.metadata.version(PACKAGES[engine])
    compute = prepare(engine)
    matrix = np.load(matrix_path)
    before, cpu, wall = memory("VmRSS"), cpu_seconds(), time.perf_counter()
    diagrams = compute(matrix)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    measured = {"version": version, "cpu_s": cpu, "wall_s": wall, "before_mb": before}
    measured.update(peak_mb=memory("VmHWM"), files_mb=memory("RssFile"))
    h0, h1 = (tidy(bars) for bars in diagrams)
    np.savez(diagrams_path, h0=h0, h1=h1)
    print(json.dumps(measured), flush=True)
    # Some engines fail while the interpreter shuts down; the result is out.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
