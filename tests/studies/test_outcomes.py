"""Results, the outcomes that hold them, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.studies.outcomes import (
    ExperimentResult,
    Outcome,
    Run,
    group_runs,
    read_outcome,
    setting,
    varying_settings,
    write_outcome,
)

OUTCOME = Outcome(
    {"loss": 0.25, "rank": 3.0},
    {"curve": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])},
)


def test_an_outcome_comes_back_as_it_was(tmp_path: Path) -> None:
    write_outcome(tmp_path / "a.npz", OUTCOME)
    outcome = read_outcome(tmp_path / "a.npz")
    assert outcome.values == OUTCOME.values
    assert list(outcome.arrays) == list(OUTCOME.arrays)
    for name, array in OUTCOME.arrays.items():
        np.testing.assert_array_equal(outcome.arrays[name], array)
    write_outcome(tmp_path / "b.npz", outcome)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_damaged_outcome_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_outcome(path, OUTCOME)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(GengapError, match=r"a\.npz is not a readable outcome"):
        read_outcome(path)
    with pytest.raises(GengapError, match=r"b\.npz does not exist"):
        read_outcome(tmp_path / "b.npz")
    for names, values in (["a", "b"], [1.0]), (["a"], ["text"]):
        np.savez(path, values_names=np.array(names), values=np.array(values))
        with pytest.raises(GengapError, match=r"a\.npz is not a readable outcome"):
            read_outcome(path)


@pytest.mark.parametrize(
    "arrays",
    [{"values": np.ones(2)}, {"file": np.ones(2)}, {"mixed": np.array([{}, None], dtype=object)}],
)
def test_an_array_that_cannot_be_written_is_refused(
    arrays: dict[str, NDArray[Any]], tmp_path: Path
) -> None:
    with pytest.raises(GengapError, match=next(iter(arrays))):
        write_outcome(tmp_path / "a.npz", Outcome({}, arrays))
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Solution:
    trace: float
    outliers: int
    spectrum: NDArray[np.float64]
    margin: float | None = None


@dataclass(frozen=True)
class Result(ExperimentResult):
    loss: float
    reached: bool
    weights: Mapping[str, NDArray[np.float32]]
    solutions: Mapping[str, Solution]
    accuracy: Mapping[str, float]
    best: Solution | None = None
    names: NDArray[np.str_] | None = None


def solution(trace: float, margin: float | None = None) -> Solution:
    return Solution(trace, 2, np.arange(3.0), margin)


FULL = Result(
    loss=0.5,
    reached=True,
    weights={"0.bias": np.ones(2, np.float32), "1.0.weight": np.zeros((2, 1), np.float32)},
    solutions={"normal": solution(1.0), "large_norm": solution(4.0, 0.1)},
    accuracy={"fgsm.clean": 0.75},
    best=solution(1.0),
    names=np.array(["a"]),
)
BARE = Result(0.5, False, {}, {}, {})


@pytest.mark.parametrize("result", [FULL, BARE])
def test_a_result_comes_back_from_its_file(result: Result, tmp_path: Path) -> None:
    write_outcome(tmp_path / "a.npz", result.to_outcome())
    again = Result.from_outcome(read_outcome(tmp_path / "a.npz"))
    # repr shows numbers, arrays and types of both; None and False have to stay what they are.
    assert repr(again) == repr(result)
    assert again.reached is result.reached
    write_outcome(tmp_path / "b.npz", again.to_outcome())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_names_in_an_outcome_say_where_a_number_belongs() -> None:
    outcome = FULL.to_outcome()
    assert outcome.values == {
        "loss": 0.5,
        "reached": 1.0,
        "solutions.normal.trace": 1.0,
        "solutions.normal.outliers": 2.0,
        "solutions.large_norm.trace": 4.0,
        "solutions.large_norm.outliers": 2.0,
        "solutions.large_norm.margin": 0.1,
        "accuracy.fgsm.clean": 0.75,
        "best.trace": 1.0,
        "best.outliers": 2.0,
    }
    assert list(outcome.arrays) == [
        "weights.0.bias",
        "weights.1.0.weight",
        "solutions.normal.spectrum",
        "solutions.large_norm.spectrum",
        "best.spectrum",
        "names",
    ]
    assert outcome.arrays["weights.0.bias"].dtype == np.float32


def test_a_field_that_an_outcome_lacks_is_named() -> None:
    outcome = FULL.to_outcome()
    values = {name: value for name, value in outcome.values.items() if "normal.trace" not in name}
    with pytest.raises(GengapError, match=r"no 'solutions\.normal\.trace', so another version"):
        Result.from_outcome(Outcome(values, outcome.arrays))


def test_what_no_outcome_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"group 'a\.b' of solutions has a dot"):
        Result(0.5, True, {}, {"a.b": solution(1.0)}, {}).to_outcome()
    with pytest.raises(TypeError, match="loss is of type str"):
        Result("low", True, {}, {}, {}).to_outcome()  # type: ignore[arg-type]


@dataclass(frozen=True)
class Network:
    architecture: str
    width: int | None = None


@dataclass(frozen=True)
class Settings:
    network: Network
    dataset: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 1


def test_settings_that_vary_are_named_on_the_way_to_them() -> None:
    runs = [
        Run(seed, Settings(Network(architecture, width), {"name": name}), BARE)
        for architecture, width, name in (("mlp", 3, "digits"), ("mlp", 4, "iris"))
        for seed in range(2)
    ]
    assert varying_settings(runs) == ["network.width", "dataset"]
    assert varying_settings(runs[:2]) == []
    groups = group_runs(runs, lambda run: setting(run.settings, "network.width"))
    assert {width: [run.seed for run in group] for width, group in groups.items()} == {
        3: [0, 1],
        4: [0, 1],
    }
