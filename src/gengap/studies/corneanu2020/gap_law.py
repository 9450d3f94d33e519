"""The law gap = a + b life + c midlife, and the baselines it has to beat, on left-out networks.

A network without a bar in H1 has neither life nor midlife: it is left out, and counted. (The
published code leaves out gaps outside 1 to 100 points.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.studies.corneanu2020.experiments.law import LawRun, Result
from gengap.studies.corneanu2020.grids import dataset_label
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
LEAST_NETWORKS = 4
"""Fewer networks leave no residual of a fit of three coefficients."""


@dataclass(frozen=True)
class Law:
    """The law, fitted to networks: gap = constant + life * life.H1 + midlife * midlife.H1.

    Attributes:
        constant: in units of accuracy, like the gap.
        life, midlife: per unit of epsilon.
        networks: number of networks that it was fitted to.
        left_out: number of others, which have no bar in H1.
        error: root of the mean squared residual, with the networks less 3 as their number.
        determination: R^2, the share of the gaps' variance that the law explains.
    """

    constant: float
    life: float
    midlife: float
    networks: int
    left_out: int
    error: float
    determination: float

    @classmethod
    def fitted(cls, results: Sequence[Result]) -> Self:
        """Fit the law to the networks of some results of the experiment ``law``.

        Returns:
            The law, with the number of networks that were left out.

        Raises:
            GengapError: fewer than four networks have a bar in H1.
        """
        tables = [_table(result) for result in results]
        return cls.of_table(
            pd.concat([with_bars(table) for table in tables], ignore_index=True),
            sum(count_without_bars(table) for table in tables),
        )

    @classmethod
    def of_table(cls, table: pd.DataFrame, left_out: int = 0) -> Self:
        """Fit the law to a row per network, with ``gap``, ``life.H1`` and ``midlife.H1``.

        Returns:
            The law.

        Raises:
            GengapError: there are fewer than four rows.
        """
        if len(table) < LEAST_NETWORKS:
            raise GengapError(
                f"The law has three coefficients, but only {len(table)} networks have a bar in H1: "
                f"give runs of {LEAST_NETWORKS} networks or more."
            )
        columns = MODELS[LAW]
        coefficients = fit(table, columns)
        gaps = table["gap"].to_numpy(dtype=float)
        residuals = gaps - _design(table, columns) @ coefficients
        squares, total = float(residuals @ residuals), float(((gaps - gaps.mean()) ** 2).sum())
        constant, life, midlife = map(float, coefficients)
        return cls(
            constant,
            life,
            midlife,
            networks=len(table),
            left_out=left_out,
            error=float(np.sqrt(squares / (len(table) - len(coefficients)))),
            determination=1 - squares / total if total else float("nan"),
        )

    def gap(self, life: float, midlife: float) -> float:
        """Return the gap of a network with this average life and midlife in H1."""
        return self.constant + self.life * life + self.midlife * midlife

    def equation(self) -> str:
        """Return the law as text, in points of accuracy."""
        a, b, c = (POINTS * value for value in (self.constant, self.life, self.midlife))
        signs = ("−" if value < 0 else "+" for value in (b, c))
        life, midlife = (f"{s} {abs(v):.0f}" for s, v in zip(signs, (b, c), strict=True))
        constant = f"{a:.1f}".replace("-", "−")
        return f"gap = {constant} {life} life {midlife} midlife"


def networks_table(runs: Sequence[LawRun]) -> pd.DataFrame:
    """Return the networks of some runs that have a bar in H1, a row each.

    Returns:
        The fields of the results, the summaries by their own names, and three columns more:
        ``dataset``, whose images or points a left-out dataset shares with no other; ``task``, the
        dataset with its grouping of labels; and the run's ``seed``.
    """
    tables = [
        with_bars(_table(run.result)).assign(
            dataset=str(run.settings.dataset["name"]),
            task=dataset_label(run.settings.dataset),
            seed=run.seed,
        )
        for run in runs
    ]
    return pd.concat(tables, ignore_index=True)


def left_out_sentence(runs: Sequence[LawRun]) -> str:
    """Say how many networks of some runs have no bar in H1; empty where all have one."""
    tables = [_table(run.result) for run in runs]
    count, networks = sum(map(count_without_bars, tables)), sum(map(len, tables))
    return f"{count} of {networks} networks have no bar in H1, and are left out" if count else ""


def with_bars(table: pd.DataFrame) -> pd.DataFrame:
    """Return the networks that have a bar in H1."""
    return table[table["count.H1"] > 0]


def count_without_bars(table: pd.DataFrame) -> int:
    """Return the number of networks that have no bar in H1."""
    return int((table["count.H1"] == 0).sum())


def _table(result: Result) -> pd.DataFrame:
    columns = {name: value for name, value in vars(result).items() if np.ndim(value) == 1}
    return pd.DataFrame(columns | dict(result.summaries))


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


def groupings(tables: Sequence[pd.DataFrame]) -> list[str]:
    """Return what can be left out of the fit in every table, such as each seed's networks.

    Returns:
        A network and, of the rest of :data:`LEFT_OUT`, what has several groups in each of them.
    """
    return [
        name
        for name in LEFT_OUT
        if name == "network" or all(table[name].nunique() > 1 for table in tables)
    ]


def errors(table: pd.DataFrame, left_out: str) -> dict[str, float]:
    """Return the mean absolute error of each model, in points of accuracy.

    Since predicted test accuracy = training accuracy - predicted gap, it is the error of the
    predicted test accuracy as well.

    Args:
        table: a row per network.
        left_out: what the model that predicts a network is fitted without, of :data:`LEFT_OUT`.

    Returns:
        By model.

    Raises:
        GengapError: there is a single group, which leaves nothing to fit on.
    """
    gaps, predicted = table["gap"].to_numpy(), left_out_predictions(table, left_out)
    return {
        model: float(POINTS * np.abs(predicted[model].to_numpy() - gaps).mean()) for model in MODELS
    }


def errors_by_architecture(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the mean absolute error of each model for each architecture, which is left out.

    Args:
        table: a row per network.

    Returns:
        By architecture and model, in points of accuracy.

    Raises:
        GengapError: there is a single architecture, which leaves nothing to fit on.
    """
    predicted = left_out_predictions(table, "architecture")
    off = predicted.sub(table["gap"].astype(float), axis=0).abs() * POINTS
    means = off.groupby(table["architecture"]).mean()
    return {
        str(architecture): {model: float(row[model]) for model in MODELS}
        for architecture, row in means.iterrows()
    }


def _design(table: pd.DataFrame, columns: Sequence[str]) -> Floats:
    return np.column_stack(
        [np.ones(len(table)), *(table[column].to_numpy(dtype=float) for column in columns)]
    )
