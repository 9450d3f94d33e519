"""What runs with tangent kernels ask for: against a peak that was measured, and how it grows.

Run as a script, this module measures the decomposition of one size in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gengap import limits
from gengap.planning import kernels, resources
from gengap.planning.experiments import ExperimentPlan

PEAK = Path("/proc/self/status")
SIZES = {1500: 40, 2250: 225}
"""Numbers of eigenfunctions by numbers of points."""
EXACT = 1000
"""Most points that are decomposed exactly: fewer than in use, so that small kernels do."""
BUDGET = 16 << 20
SLACK = 40
"""Megabytes that a peak may be above the estimate: torch's own arrays, which do not grow."""


def settings(points: int, count: int, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": {"name": "digits", "train_size": points - 200, "test_size": 200},
        "network": {"architecture": "mlp"},
        "indices": [count - 1],
        "saved": count,
        **changes,
    }


def experiment(module: str, **entry: Any) -> ExperimentPlan:
    return ExperimentPlan(
        kernels.STUDY, {"name": module, "experiment": None, "memory_gb": None, **entry}
    )


def decompose(points: int, folder: Path) -> int:
    """Compute and decompose a kernel in files; return the rise of this process's memory, bytes."""
    from gengap.networks import build, initialise
    from gengap.seeding import torch_generator
    from gengap.tangent import eigenfunctions, empirical_ntk

    def memory(key: str) -> int:
        (line,) = (line for line in PEAK.read_text().splitlines() if line.startswith(key))
        return int(line.split()[1]) << 10

    dense = [{"layer_name": "Dense", "units": 100, "activation": "relu"}] * 2
    spec = {
        "model_config": [{"layer_name": "Flatten"}, *dense, {"layer_name": "Dense", "units": 1}],
        "input_shape": [8, 8, 1],
    }
    network = build(spec)
    initialise(network, "lecun", torch_generator(0, "weights"))
    inputs = np.random.default_rng(0).random((points, 8, 8, 1), dtype=np.float32)
    empirical_ntk(network, inputs[:100])
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory("VmRSS")
    kernel = empirical_ntk(network, inputs, memory_budget=BUDGET, file=folder / "kernel.npy")
    rng = np.random.default_rng(0)
    eigenfunctions(kernel, SIZES[points], solver="lanczos", rng=rng, folder=folder / "basis")
    return memory("VmHWM") - before


@pytest.mark.slow
@pytest.mark.skipif(not PEAK.exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("points", SIZES)
def test_the_memory_of_a_decomposition_is_what_is_asked_for(
    points: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_EXACT", EXACT)
    command = [sys.executable, __file__, str(points), str(tmp_path)]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e6
    cost = kernels.cost_of_kernels(
        "eigenfunction_tasks", settings(points, SIZES[points]), on_gpu=False
    )
    asked = cost.megabytes + BUDGET / 1e6
    # The rest of the request, 3000 MB, is for the libraries, the data and the networks.
    assert 0.4 * asked < peak < asked + SLACK


def test_the_papers_kernel_fits_a_machine_and_a_day() -> None:
    """60000 inputs and 3001 eigenfunctions: 14.4 GB of kernel, and two bases of 3 GB."""
    entry = experiment("eigenfunction_tasks", hours=None, threads=8)
    run = settings(
        60_000, 3001, indices=[1, 3, 10, 30, 100, 300, 1000, 3000], saved=1000, memory_gib=4
    )
    run |= {"network": {"architecture": "lenet"}, "dataset": {"name": "cifar10",
            "train_size": 50_000, "test_size": 10_000}}  # fmt: skip
    assert 25_000 < resources.memory_of_run(entry, run, "cpu") < 40_000
    assert 240 < resources.minutes_of_run(entry, run, "cpu") <= 24 * 60
    assert resources.memory_of_run(entry, run, "cuda") > resources.memory_of_run(entry, run, "cpu")


def test_requests_grow_with_points_eigenfunctions_parameters_and_fewer_threads() -> None:
    def cost(points: int, count: int, **changes: Any) -> kernels.Cost:
        return kernels.cost_of_kernels(
            "eigenfunction_tasks", settings(points, count, **changes), on_gpu=False
        )

    least = cost(20_000, 500)
    for more in (
        cost(40_000, 500),
        cost(20_000, 2000),
        cost(20_000, 500, network={"architecture": "resnet18"}),
        cost(20_000, 500, training={"epochs": 500}),
    ):
        assert more.shared + more.alone > least.shared + least.alone
        assert more.megabytes >= least.megabytes
    assert cost(40_000, 500).megabytes > 3 * least.megabytes
    most = kernels.Cost(shared=8 * 36_000, alone=3600, megabytes=0)
    assert most.minutes(8) == 2 * 11 * 60
    assert most.minutes(4) == 24 * 60
    assert most.minutes(1) == 81 * 60
    assert kernels.Cost(1, 1, 0).minutes(1) == 240


@pytest.mark.parametrize("module", ["class_tasks", "training_sizes", "pretrained", "directions"])
def test_every_experiment_has_an_estimate(module: str) -> None:
    run: dict[str, Any] = {"dataset": {"name": "mnist"}, "network": {"architecture": "lenet"}}
    if module == "training_sizes":
        run["sizes"] = [10, 60_000]
    if module == "directions":
        run = {"points": {"train_size": 10_000, "test_size": 5000}, "input_shape": [32, 32, 1],
               "indices": [0, 3]}  # fmt: skip
    cost = kernels.cost_of_kernels(module, run, on_gpu=False)
    points = 15_000 if module == "directions" else 70_000
    assert cost.megabytes > 4 * points**2 / 1e6
    assert cost.shared > 0
    assert cost.alone > 0


def test_the_hours_of_an_entry_are_what_is_asked_for() -> None:
    entry = experiment("class_tasks", hours=12.5, threads=1)
    assert resources.minutes_of_run(entry, {"network": {}}, "cpu") == 750


def test_the_memory_of_an_entry_is_what_is_asked_for() -> None:
    entry = experiment("class_tasks", memory_gb=2.5)
    assert resources.memory_of_run(entry, {"network": {}}, "cpu") == 2500
    assert resources.memory_of_run(entry, {"network": {}}, "cuda") == 4500


def test_runs_wait_for_the_official_data_that_they_read() -> None:
    entry = experiment(
        "class_tasks", seeds=2, settings={"network": {"architecture": "mlp"}},
        grid={"dataset": [{"name": "digits"}, {"name": "mnist", "train_size": 9}]},
    )  # fmt: skip
    assert [entry.official_data(run) for run in range(4)] == [[], [], ["mnist"], ["mnist"]]


if __name__ == "__main__":
    print(decompose(int(sys.argv[1]), Path(sys.argv[2])))
