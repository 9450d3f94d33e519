"""Settings from a file, and experiments, figures and claims by their names."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from matplotlib.figure import Figure

from gengap.errors import GengapError
from gengap.studies.claims import Claim
from gengap.studies.context import Context
from gengap.studies.outcomes import ExperimentResult, Run, write_outcome
from gengap.studies.running import (
    build_settings,
    evaluate_claims,
    plot_experiment,
    read_runs,
    run_experiment,
)

CONTEXT = Context(7, None, torch.device("cpu"))


@dataclass(frozen=True)
class Network:
    architecture: Literal["mlp", "lenet"]
    width: int | None = None


@dataclass(frozen=True)
class Settings:
    network: Network
    value: float
    sizes: Sequence[int] = (1, 2)
    training: Mapping[str, Any] | None = None
    other: Network | None = None
    threshold: Literal["mean"] | float = "mean"
    quiet: bool = False


@dataclass(frozen=True)
class Result(ExperimentResult):
    doubled: float
    seed: int


def run(context: Context, settings: Settings) -> Result:
    return Result(2 * settings.value, context.seed)


def double(runs: Sequence[Run[Settings, Result]], *, smoothing: float = 0.0) -> dict[str, Figure]:
    return {f"{run.result.doubled:g} {smoothing:g}": Figure() for run in runs}


def claims(runs: Mapping[str, Sequence[Run[Settings, Result]]]) -> list[Claim]:
    return [Claim(name, "", "", {}) for name in runs]


SETTINGS: dict[str, Any] = {"network": {"architecture": "mlp"}, "value": 1.5}


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paper's package of one experiment."""
    contents: dict[str, dict[str, Any]] = {
        "sample": {},
        "sample.experiments": {},
        "sample.experiments.double": {"Settings": Settings, "Result": Result, "run": run},
        "sample.figures": {"double": double},
        "sample.claims": {"claims": claims},
    }
    for name, content in contents.items():
        module = ModuleType(f"gengap.studies.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_an_experiment_takes_its_settings() -> None:
    assert run_experiment("sample", "double", CONTEXT, SETTINGS) == Result(3.0, 7)


def test_finished_runs_have_their_settings_and_results(tmp_path: Path) -> None:
    paths = [tmp_path / "0.npz", tmp_path / "1.npz"]
    for seed, path in enumerate(paths):
        write_outcome(path, Result(3.0, seed).to_outcome())
    runs = read_runs("sample", "double", paths, [(0, SETTINGS), (1, SETTINGS | {"value": 2})])
    settings = Settings(Network("mlp"), 1.5)
    assert runs[0] == Run(0, settings, Result(3.0, 0))
    assert runs[1] == Run(1, Settings(Network("mlp"), 2), Result(3.0, 1))


def test_figures_and_claims_are_found_by_name() -> None:
    runs = [Run(0, Settings(Network("mlp"), 1.5), Result(3.0, 0))]
    assert list(plot_experiment("sample", "double", runs)) == ["3 0"]
    assert list(plot_experiment("sample", "double", runs, {"smoothing": 2})) == ["3 2"]
    sentence = "figures of double of sample have no setting 'smooth': choose among smoothing"
    with pytest.raises(GengapError, match=sentence):
        plot_experiment("sample", "double", runs, {"smooth": 2})
    assert [claim.title for claim in evaluate_claims("sample", {"twice": runs})] == ["twice"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tims": 3}, r"The experiment double of sample has no setting 'tims': choose among "
         r"network, value, sizes, training, other, threshold, quiet\."),
        ({"network": {"architecture": "mlp", "wdth": 3}},
         r"has no setting 'network\.wdth': choose among architecture, width\."),
        ({"network": {}}, r"needs 'network\.architecture': set it\."),
        ({"network": "mlp"}, "'network' of the experiment .* is 'mlp': give a mapping"),
        ({"network": {"architecture": "vgg"}},
         r"'network\.architecture' .* is 'vgg': give mlp or lenet\."),
        ({"network": {"architecture": "mlp", "width": 2.5}}, "is 2.5: give an integer or null"),
        ({"network": {"architecture": "mlp", "width": True}}, "is True: give an integer or null"),
        ({"other": {"architecture": "mlp", "depth": 2}}, r"no setting 'other\.depth'"),
        ({"value": "1e-3"}, r"'1e-3': give a number \(YAML reads 1\.0e-3 as one, 1e-3 as text\)"),
        ({"sizes": [1, 2.5]}, r"'sizes' .* is \[1, 2\.5\]: give a list, each entry an integer"),
        ({"sizes": 3}, "'sizes' .* is 3: give a list"),
        ({"training": [1]}, r"'training' .* is \[1\]: give a mapping or null"),
        ({"threshold": "median"}, "is 'median': give mean or a number"),
        ({"quiet": 1}, "is 1: give true or false"),
    ],
)  # fmt: skip
def test_a_setting_that_does_not_fit_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        run_experiment("sample", "double", CONTEXT, SETTINGS | changes)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(GengapError, match="The experiment double of sample needs 'value': set it"):
        run_experiment("sample", "double", CONTEXT, {"network": {"architecture": "mlp"}})


def test_values_are_taken_as_they_are_and_mappings_become_dataclasses() -> None:
    given = {
        "network": {"architecture": "lenet", "width": 4},
        "value": 2,
        "sizes": [3],
        "training": {"epochs": 2},
        "other": {"architecture": "mlp"},
        "threshold": 0.5,
        "quiet": True,
    }
    settings = build_settings(Settings, given, "experiment")
    assert settings == Settings(
        Network("lenet", 4), 2, [3], {"epochs": 2}, Network("mlp"), 0.5, True
    )
    assert type(settings.value) is int
    bare = build_settings(Settings, SETTINGS | {"other": None, "training": None}, "experiment")
    assert bare == Settings(Network("mlp"), 1.5)
