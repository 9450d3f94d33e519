"""The room of the studies: outcomes, claims, and the call of an experiment."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy import stats

from gengap.errors import GengapError
from gengap.studies import (
    Claim,
    Context,
    Outcome,
    claims_page,
    claims_table,
    interval,
    read_outcome,
    read_runs,
    run_experiment,
    write_outcome,
)

OUTCOME = Outcome(
    {"loss": 0.25, "rank": 3.0},
    {"curve": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "b"])},
)


def test_an_outcome_comes_back_as_it_was(tmp_path: Path) -> None:
    write_outcome(tmp_path / "a.npz", OUTCOME)
    found = read_outcome(tmp_path / "a.npz")
    assert found.values == OUTCOME.values
    assert list(found.arrays) == list(OUTCOME.arrays)
    for name, array in OUTCOME.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    write_outcome(tmp_path / "b.npz", found)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_runs_keep_their_settings(tmp_path: Path) -> None:
    write_outcome(tmp_path / "0.npz", OUTCOME)
    write_outcome(tmp_path / "1.npz", Outcome({"loss": 1.0}))
    runs = read_runs([tmp_path / "0.npz", tmp_path / "1.npz"], [(0, {"w": 2}), (1, {"w": 2})])
    assert [(run.seed, run.settings, run.outcome.values["loss"]) for run in runs] == [
        (0, {"w": 2}, 0.25),
        (1, {"w": 2}, 1.0),
    ]


def test_a_damaged_outcome_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_outcome(path, OUTCOME)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(GengapError, match=r"a\.npz is not a readable outcome"):
        read_outcome(path)
    with pytest.raises(GengapError, match=r"b\.npz does not exist"):
        read_outcome(tmp_path / "b.npz")


@pytest.mark.parametrize(
    "arrays", [{"values": np.ones(2)}, {"mixed": np.array([{}, None], dtype=object)}]
)
def test_an_array_that_cannot_be_written_is_refused(
    arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(GengapError, match=next(iter(arrays))):
        write_outcome(tmp_path / "a.npz", Outcome({}, arrays))
    assert list(tmp_path.iterdir()) == []


def test_the_interval_is_scipys() -> None:
    values = [0.2, 0.5, 0.4, 0.9]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    mean, low, high = interval(values)
    assert mean == pytest.approx(0.5)
    assert (low, high) == pytest.approx(expected)
    assert interval([1.0]) == (1.0, -math.inf, math.inf)
    assert all(map(math.isnan, interval([1.0, math.nan])))
    assert all(map(math.isnan, interval([])))


def test_claims_as_table_and_page() -> None:
    claims = [
        Claim("Rises", "It rises.", "It fell.", False, {"slope": [-1.0, -2.0, -3.0]}),
        Claim("Wide", "It is wide.", "Nobody knows.", None, {"a": [1.0, 2.0], "b": [0.0, 0.0]}),
    ]
    table = claims_table(claims)
    assert list(table["verdict"]) == ["disagrees", "undecided", "undecided"]
    assert list(table["estimate"]) == ["slope", "a", "b"]
    assert list(table["seeds"]) == [3, 2, 2]
    assert list(table["mean"]) == [-2.0, 1.5, 0.0]
    page = claims_page("study", "small", claims)
    assert page.count("## ") == 2
    assert "| slope | 3 | -2 | -4.48 to 0.484 |" in page
    assert "snakemake study --config setting=small" in page


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("gengap.studies.sample.double")

    def run(context: Context, *, value: float, times: int = 2) -> Outcome:
        return Outcome({"result": value * times, "seed": context.seed})

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gengap.studies.sample", ModuleType("gengap.studies.sample"))
    monkeypatch.setitem(sys.modules, "gengap.studies.sample.double", module)


@pytest.mark.usefixtures("experiment")
def test_an_experiment_takes_its_settings() -> None:
    context = Context(7, None, torch.device("cpu"))
    outcome = run_experiment("sample", "double", context, {"value": 1.5})
    assert outcome.values == {"result": 3.0, "seed": 7}
    with pytest.raises(GengapError, match=r"no setting 'tims': choose among value, times\."):
        run_experiment("sample", "double", context, {"value": 1.5, "tims": 3})
    with pytest.raises(GengapError, match="needs 'value'"):
        run_experiment("sample", "double", context, {})
