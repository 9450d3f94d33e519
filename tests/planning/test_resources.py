"""What jobs ask for follows from the settings, and rests on the constants of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gengap import limits
from gengap.planning import resources
from gengap.planning.experiments import ExperimentPlan, settings_fields


@pytest.mark.parametrize(
    ("settings", "megabytes"),
    [
        ({}, 3000 + 4096),
        ({"memory_gib": 8}, 3000 + 8192),
        ({"memory_gib": 0.5}, 3000 + 512),
        ({"dense_limit": 20_000}, 3000 + 9600),
    ],
)
def test_a_runs_memory_follows_its_budget(settings: dict[str, float], megabytes: int) -> None:
    graph = ExperimentPlan(
        "corneanu2020", {"name": "law", "experiment": None, "hours": None, "memory_gb": None}
    )
    assert resources.memory_of_run(graph, settings, "cpu") == megabytes
    assert resources.minutes_of_run(graph, settings, "cpu") == 240


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("auto", 0), ("cuda", 1), ("cuda:1", 1)])
def test_a_gpu_by_name_is_asked_for_with_its_libraries(device: str, gpus: int) -> None:
    assert resources.gpus(device) == gpus
    assert resources.memory(1000, device) == 1000 + 2000 * gpus


def settings(neurons: int, max_dim: int = 1, engine: str = "auto") -> dict[str, Any]:
    return {
        "activations": {"neurons": neurons, "inputs": 2000, "draws": 20},
        "topology": {"max_dim": max_dim, "engine": engine},
    }


def test_diagrams_take_what_the_engine_keeps_for_each_pair() -> None:
    fast, slow = settings(3000), settings(3000, engine="ripser")
    assert resources.memory_of_diagrams(fast, 1, "cpu") < 2000
    assert resources.memory_of_diagrams(slow, 1, "cpu") > 5000
    assert resources.memory_of_diagrams(settings(3000, 2, "gudhi"), 1, "cpu") > 19000
    more = resources.memory_of_diagrams(fast, 4, "cpu")
    assert more > resources.memory_of_diagrams(fast, 1, "cpu")


def test_only_our_own_engine_has_threads_and_only_for_many_neurons() -> None:
    assert resources.diagram_threads(settings(3000)) == 4
    assert resources.diagram_threads(settings(64)) == 1
    assert resources.diagram_threads(settings(3000, engine="gudhi")) == 1
    assert resources.diagram_threads(settings(3000, max_dim=3)) == 4
    assert resources.diagram_threads(settings(3000, max_dim=4)) == 1


def test_time_grows_with_the_shard_and_memory_does_not() -> None:
    assert resources.minutes(240, 30, 1) == 240
    assert resources.minutes(240, 30, 16) == 240 + 15 * 30
    assert resources.minutes_of_diagrams(settings(64), 16) > resources.minutes_of_diagrams(
        settings(64), 1
    )


def test_the_memory_of_eigenvalues_follows_the_weights(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    without = resources.memory_of_eigenvalues(weights, "cpu")
    weights.write_bytes(bytes(10_000_000))
    vectors = 2 * (2 * limits.LARGEST_EIGENVALUES + limits.EXTRA_BASIS)
    assert resources.memory_of_eigenvalues(weights, "cpu") == without + 10 * vectors


FILES = resources.Files(Path("none"), Path("none"), (), (), 3)


def test_curvature_keeps_graphs_beside_what_the_other_measures_take() -> None:
    more = resources.memory_of_measures(["history", "curvature"], FILES, "cpu")
    assert more - resources.memory_of_measures(["history"], FILES, "cpu") == pytest.approx(
        2 * limits.CURVATURE_GRAPH_BYTES / 1e6, abs=1
    )


def test_families_are_measured_one_after_another() -> None:
    both = resources.memory_of_measures(["curvature", "gradients"], FILES, "cpu")
    one_by_one = [
        resources.memory_of_measures([name], FILES, "cpu") for name in ("curvature", "gradients")
    ]
    assert both == max(one_by_one)
    one = resources.minutes_of_measures(["history"], FILES, slow=False)
    assert one == resources.minutes(60, 15, 3)
    more = resources.minutes_of_measures(["history", "weights"], FILES, slow=False)
    assert more == one + 30


def test_budgets_have_one_name_and_defaults_that_fit_the_memory_asked_for(root: Path) -> None:
    """A default is either one graph's, or that of a kernel's blocks."""
    defaults = {}
    for path in sorted((root / "src" / "gengap" / "studies").glob("*/experiments/*.py")):
        if path.stem != "__init__":
            fields = settings_fields(path)
            assert not {"gibibytes", "gib", "megabytes"} & set(fields), path
            if "memory_gib" in fields:
                defaults[path.parts[-3], path.stem] = fields["memory_gib"].default
    assert {study: default for (study, _), default in defaults.items()} == {
        "corneanu2020": f"{resources.GRAPH_GIB}.0",
        "ortizjimenez2021": f"{resources.KERNEL_GIB}.0",
    }


def test_the_time_of_a_repeated_run_grows_to_a_week() -> None:
    day = 24 * 60
    assert [resources.minutes_of_attempt(240, attempt) for attempt in (1, 2, 3)] == [240, 480, 720]
    assert [resources.minutes_of_attempt(3 * day, attempt) for attempt in (1, 2, 3)] == [
        3 * day, 6 * day, 7 * day
    ]  # fmt: skip
    assert resources.minutes_of_attempt(25 * day, 3) == 25 * day
