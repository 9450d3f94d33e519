"""The sweeps of several runs and seeds as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.studies.estimates import rank_correlation
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, Measurements, join
from gengap.studies.outcomes import Floats, Integers, group_runs

INTERPOLATION = 0.01
"""Training error up to which a network counts as fitting its labels."""

LOW_TRAIN_LOSS = 0.1
"""Mean training loss up to which a network counts as fitting its labels."""


@dataclass(frozen=True)
class Sweep:
    """All runs of ``double_descent``: ascending widths (m,), and networks (seeds, m)."""

    widths: Integers
    networks: Measurements

    @classmethod
    def of(cls, runs: Sequence[DoubleDescentRun]) -> Sweep:
        """Return the sweep of runs.

        Raises:
            GengapError: a seed misses widths that another one has.
        """
        by_seed = group_runs(runs, lambda run: run.seed).values()
        widths, networks = zip(*map(_of_one_seed, by_seed), strict=True)
        if any(not np.array_equal(others, widths[0]) for others in widths):
            raise GengapError(
                "The seeds of a sweep have different 'widths': run every one of them with every "
                "seed."
            )
        return cls(widths[0], join(networks, np.stack))

    @property
    def interpolating(self) -> NDArray[np.bool_]:
        """Whether the networks of all seeds fit their training labels, for each width (m,)."""
        return np.asarray((self.networks.train_error <= INTERPOLATION).all(axis=0))


@dataclass(frozen=True)
class Grid:
    """All runs of ``width_depth``: widths (w,), ascending depths (d,), networks (seeds, d, w)."""

    widths: Integers
    depths: Integers
    networks: Measurements

    @classmethod
    def of(cls, runs: Sequence[WidthDepthRun]) -> Grid:
        """Return the grid of runs, each of which has a part of it.

        Raises:
            GengapError: a seed misses networks of the grid.
        """
        widths = np.unique(np.concatenate([run.result.widths for run in runs]))
        depths = np.unique(np.concatenate([run.result.depths for run in runs]))
        by_seed = group_runs(runs, lambda run: run.seed).values()
        seeds = [_whole_grid(group, depths, widths) for group in by_seed]
        return cls(widths, depths, join(seeds, np.stack))

    @property
    def fitting(self) -> NDArray[np.bool_]:
        """Whether the training loss of each network (seeds, d, w) is low."""
        return self.networks.train_loss <= LOW_TRAIN_LOSS

    def explanations(self, alpha: float = HEADLINE_ALPHA) -> dict[str, Floats]:
        """Return quantities (seeds, d, w) that may explain the test loss, by title; N_eff first."""
        return {
            "effective dimensionality": self.networks.dimension_at(alpha),
            "parameters": self.networks.parameters,
            "largest eigenvalue": self.networks.lambda_max,
            "sharpness": self.networks.loss_sharpness,
            "squared norm of the weights": self.networks.squared_norm,
            "path norm": self.networks.path_norm,
            "PAC-Bayes bound": self.networks.pac_bayes,
        }


def correlations_by_seed(first: Floats, second: Floats, selected: NDArray[np.bool_]) -> list[float]:
    """Return Spearman's rank correlation of values (seeds, ...) among the selected networks.

    The networks are selected for each seed, (seeds, ...), or are the same ones for all, (...).

    Returns:
        One per seed; NaN where fewer than three networks are selected.
    """
    networks = np.broadcast_to(selected, first.shape)
    return [
        rank_correlation(values[chosen], others[chosen])
        for values, others, chosen in zip(first, second, networks, strict=True)
    ]


def _of_one_seed(runs: Sequence[DoubleDescentRun]) -> tuple[Integers, Measurements]:
    """The ascending widths (m,) of one seed's runs, and their networks (m,)."""
    widths = np.concatenate([run.result.widths for run in runs])
    order = np.argsort(widths)
    networks = [run.result.networks for run in runs]
    return widths[order], join(networks, lambda arrays: np.concatenate(arrays)[order])


def _whole_grid(runs: Sequence[WidthDepthRun], depths: Integers, widths: Integers) -> Measurements:
    """The networks (d, w) of one seed, whose runs have parts of the grid."""
    cells: dict[tuple[int, int], Measurements] = {}
    for run in runs:
        for row, depth in enumerate(run.result.depths.tolist()):
            for column, width in enumerate(run.result.widths.tolist()):
                cells[depth, width] = _network_at(run.result.networks, row, column)
    for depth in depths.tolist():
        for width in widths.tolist():
            if (depth, width) not in cells:
                raise GengapError(
                    f"A seed of width_depth has no network of width {width} and depth {depth}: "
                    "run every one of them with every seed."
                )
    rows = [
        join([cells[depth, width] for width in widths.tolist()], np.stack)
        for depth in depths.tolist()
    ]
    return join(rows, np.stack)


def _network_at(networks: Measurements, row: int, column: int) -> Measurements:
    return join([networks], lambda arrays: arrays[0][row, column])
