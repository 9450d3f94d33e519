"""The registry of engines: its names, its limits, and what ``auto`` stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from gengap import limits, names
from gengap.topology import persistence_diagrams
from gengap.topology.budget import HIGHEST_DIMENSION
from gengap.topology.engines import ENGINES, find_engine


def test_engines_are_those_of_the_names_the_limits_and_the_config(root: Path) -> None:
    assert tuple(ENGINES) == names.ENGINES
    for by_engine in (limits.ENGINE_MAX_DIM, limits.ENGINE_BYTES_PER_PAIR, limits.ENGINE_MINUTES):
        assert set(by_engine) == set(ENGINES)
    assert set(limits.THREADED_ENGINES) <= set(ENGINES)
    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())
    engine = schema["properties"]["topology"]["properties"]["engine"]
    assert engine["enum"] == ["auto", *ENGINES]
    highest = schema["properties"]["topology"]["properties"]["max_dim"]["maximum"]
    assert all(limit is None or limit >= highest for limit in limits.ENGINE_MAX_DIM.values())


@pytest.mark.parametrize(
    ("engine", "max_dim", "expected"),
    [
        ("auto", 0, "fast"),
        ("auto", 1, "fast"),
        ("auto", 2, "fast"),
        ("auto", 3, "fast"),
        ("auto", 4, "ripser"),
        ("gudhi", 1, "gudhi"),
        ("ripser", 0, "ripser"),
    ],
)
def test_auto_is_fast_where_that_reaches(engine: str, max_dim: int, expected: str) -> None:
    assert limits.resolve_engine(engine, max_dim) == expected
    assert find_engine(engine, max_dim) is ENGINES[expected]


def test_auto_reaches_every_dimension_and_estimates_are_those_of_our_engine() -> None:
    for max_dim in range(HIGHEST_DIMENSION + 3):
        reached = ENGINES[limits.resolve_engine("auto", max_dim)].max_dim
        assert reached is None or reached >= max_dim
    assert ENGINES["fast"].max_dim == HIGHEST_DIMENSION


@pytest.mark.parametrize(
    ("engine", "max_dim", "expected"),
    [
        ("auto", 1, 12),
        ("fast", 0, 12),
        ("auto", 2, 24),
        ("ripser", 2, 2200),
        ("ripser", 1, 550),
        ("gudhi", 0, 550),
        ("gudhi", 7, 2200),
    ],
)
def test_memory_grows_with_the_engine_and_the_dimension(
    engine: str, max_dim: int, expected: int
) -> None:
    assert limits.engine_bytes_per_pair(engine, max_dim) == expected


@pytest.mark.parametrize("name", names.ENGINES)
def test_an_engine_reaches_the_dimension_that_it_states(name: str) -> None:
    """On the cross-polytope, a sphere of that dimension, which dies at once."""
    max_dim = ENGINES[name].max_dim
    max_dim = 2 if max_dim is None else max_dim
    corners = np.concatenate([np.eye(max_dim + 1), -np.eye(max_dim + 1)])
    matrix = np.abs(corners[:, None] - corners[None]).max(axis=-1)
    diagrams = persistence_diagrams(matrix, max_dim, engine=name)
    np.testing.assert_array_equal(diagrams[max_dim], [[1, 2]])
