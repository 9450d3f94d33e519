"""Running the papers without an ``experiments`` folder; this module goes with the last one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.datasets import Dataset, load
from gengap.errors import GengapError
from gengap.seeding import derive
from gengap.studies.claims import Claim
from gengap.studies.context import Context
from gengap.studies.outcomes import Outcome, read_outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Run:
    """A run that is done: its place among the seeds, its keywords, and what it found."""

    seed: int
    settings: Mapping[str, Any]
    outcome: Outcome


def converted(study: str) -> bool:
    """Whether a paper's package has the folder ``experiments``."""
    return (Path(__file__).parent / study / "experiments").is_dir()


def read_runs(
    paths: Sequence[str | Path], entries: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[Run]:
    """The runs of one experiment."""
    return [
        Run(seed, settings, read_outcome(path))
        for path, (seed, settings) in zip(paths, entries, strict=True)
    ]


def load_data(context: Context, dataset: Mapping[str, Any]) -> Dataset:
    """The data of a run, drawn from its seed."""
    if "name" not in dataset:
        raise GengapError("The setting 'dataset' has no 'name': name one of gengap.datasets.NAMES.")
    return load(**dataset, data_dir=context.data_dir, seed=derive(context.seed, "data"))


def run_experiment(
    study: str, experiment: str, context: Context, settings: Mapping[str, Any]
) -> Outcome:
    """Run an experiment once."""
    run = importlib.import_module(f"gengap.studies.{study}.{experiment}").run
    keywords = _known(run, settings, f"experiment {experiment} of {study} has no setting")
    for name, parameter in keywords.items():
        if parameter.default is parameter.empty and name not in settings:
            raise GengapError(f"The experiment {experiment} of {study} needs '{name}': set it.")
    outcome: Outcome = run(context, **settings)
    return outcome


def draw(
    study: str, experiment: str, runs: Sequence[Run], drawing: Mapping[str, Any] | None = None
) -> dict[str, Figure]:
    """The figures of an experiment's runs, by name."""
    function = importlib.import_module(f"gengap.studies.{study}.{experiment}").draw
    keywords = drawing or {}
    _known(function, keywords, f"figures of {experiment} of {study} have no setting")
    figures: dict[str, Figure] = function(runs, **keywords)
    return figures


def _known(
    function: Callable[..., Any], settings: Mapping[str, Any], what: str
) -> dict[str, inspect.Parameter]:
    """The keywords of a function, once it is sure that the settings are among them."""
    keywords = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name in settings:
        if name not in keywords:
            known = f"choose among {', '.join(keywords)}" if keywords else "leave it out"
            raise GengapError(f"The {what} '{name}': {known}.")
    return keywords


def evaluate_claims(study: str, runs: Mapping[str, Sequence[Run]]) -> list[Claim]:
    """What the runs of a study, by experiment, say of its paper's claims."""
    module = importlib.import_module(f"gengap.studies.{study}.claims")
    claims: list[Claim] = module.claims(runs)
    return claims
