"""The law gap = a + b life + c midlife, and the baselines it has to beat, on left-out networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.studies.corneanu2020.experiments.law import LawRun
from gengap.studies.outcomes import Floats

MODELS: dict[str, tuple[str, ...]] = {
    "life and midlife": ("life.H1", "midlife.H1"),
    "constant gap": (),
    "training accuracy": ("train_accuracy",),
    "parameter count": ("log_parameters",),
    "margin": ("margin",),
}
LAW = "life and midlife"
LEFT_OUT = ("network", "architecture", "dataset")
POINTS = 100.0


def networks_table(runs: Sequence[LawRun]) -> pd.DataFrame:
    """Return all networks of some runs, a row each, with where they come from.

    Returns:
        The fields of the results, the summaries by their own names, and three columns more:
        ``dataset``, whose images or points a left-out dataset shares with no other; ``task``, the
        dataset with its grouping of labels; and the run's ``seed``.
    """
    tables = []
    for run in runs:
        columns = dict(vars(run.result))
        columns |= columns.pop("summaries")
        name, groups = str(run.settings.dataset["name"]), run.settings.dataset.get("groups")
        task = f"{name} in {len(groups)} groups" if groups else name
        tables.append(pd.DataFrame(columns).assign(dataset=name, task=task, seed=run.seed))
    return pd.concat(tables, ignore_index=True)


def tables_by_seed(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the networks of each seed, in the order of the seeds, with their rows' indices."""
    return [rows for _, rows in table.groupby("seed")]


def left_out_predictions(table: pd.DataFrame, left_out: str) -> pd.DataFrame:
    """Predict each network's gap by each model, fitted without the network's group.

    Returns:
        A column for each model, rows as in the table, in the unit of ``gap``.

    Raises:
        GengapError: there is a single group, which leaves nothing to fit on.
    """
    groups = np.arange(len(table)) if left_out == "network" else table[left_out].to_numpy()
    if len(set(groups)) < 2:
        raise GengapError(
            f"All networks share one {left_out}, so none can be left out: add another to the grid."
        )
    predicted = pd.DataFrame(index=table.index, columns=list(MODELS), dtype=float)
    for group in dict.fromkeys(groups):
        test = groups == group
        for model, columns in MODELS.items():
            weights = fit(table.loc[~test], columns)
            predicted.loc[test, model] = _design(table.loc[test], columns) @ weights
    return predicted


def fit(table: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """Return the least-squares coefficients of the gap: the intercept, then one per column."""
    gaps = table["gap"].to_numpy(dtype=float)
    solution: Floats = np.linalg.lstsq(_design(table, columns), gaps, rcond=None)[0]
    return solution


def groupings(table: pd.DataFrame) -> list[str]:
    """Return what can be left out of the fit: of :data:`LEFT_OUT`, what has several groups."""
    return [name for name in LEFT_OUT if name == "network" or table[name].nunique() > 1]


def errors(table: pd.DataFrame) -> dict[str, Mapping[str, float]]:
    """Return the mean absolute errors of the models, in points of accuracy.

    Since predicted test accuracy = training accuracy - predicted gap, it is the error of the
    predicted test accuracy as well.

    Returns:
        By what is left out, of :func:`groupings`, then by model.
    """
    gaps = table["gap"].to_numpy()
    means: dict[str, Mapping[str, float]] = {}
    for left_out in groupings(table):
        predicted = left_out_predictions(table, left_out)
        means[left_out] = {
            model: float(POINTS * np.abs(predicted[model].to_numpy() - gaps).mean())
            for model in MODELS
        }
    return means


def _design(table: pd.DataFrame, columns: Sequence[str]) -> Floats:
    return np.column_stack(
        [np.ones(len(table)), *(table[column].to_numpy(dtype=float) for column in columns)]
    )
