"""The law gap = a + b life + c midlife, and the baselines it has to beat, on left-out networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.errors import GengapError

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


def left_out_predictions(table: pd.DataFrame, left_out: str) -> pd.DataFrame:
    """Each network's gap as each model predicts it when its group is left out of the fit.

    Args:
        table: a network a row: ``gap``, the columns that ``MODELS`` name, ``architecture`` and
            ``dataset``.
        left_out: ``network`` (each by itself), ``architecture`` or ``dataset``.

    Returns:
        A column for each model, rows as in ``table``, in the unit of ``gap``.

    Raises:
        GengapError: an unknown grouping, or a single group, which leaves nothing to fit on.
    """
    if left_out not in LEFT_OUT:
        raise GengapError(f"Unknown grouping {left_out!r}: choose one of {', '.join(LEFT_OUT)}.")
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


def fit(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Least-squares coefficients of the gap: the intercept, then one per column."""
    gaps = table["gap"].to_numpy(dtype=float)
    coefficients: NDArray[np.float64] = np.linalg.lstsq(_design(table, columns), gaps, rcond=None)[
        0
    ]
    return coefficients


def errors(table: pd.DataFrame) -> dict[str, Mapping[str, float]]:
    """Mean absolute error in points of percent, by what is left out, then by model.

    Since predicted test accuracy = training accuracy - predicted gap, it is the error of the
    predicted test accuracy as well. Groupings of a single group are left out.
    """
    return {
        left_out: {
            str(model): float(
                POINTS * np.abs(predicted[model].to_numpy() - table["gap"].to_numpy()).mean()
            )
            for model in predicted
        }
        for left_out in LEFT_OUT
        if left_out == "network" or table[left_out].nunique() > 1
        for predicted in [left_out_predictions(table, left_out)]
    }


def _design(table: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    return np.column_stack(
        [np.ones(len(table)), *(table[column].to_numpy(dtype=float) for column in columns)]
    )
