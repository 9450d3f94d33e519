"""The sweeps of several runs and seeds as one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gengap.errors import GengapError
from gengap.studies.estimates import rank_correlation
from gengap.studies.maddox2020.experiments.double_descent import DoubleDescentRun
from gengap.studies.maddox2020.experiments.fixed_size import FixedSizeRun
from gengap.studies.maddox2020.experiments.width_depth import WidthDepthRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, Measurements, join
from gengap.studies.outcomes import Floats, Integers, group_runs

INTERPOLATION = 0.01
"""Training error up to which a network counts as fitting its labels."""

LOW_TRAIN_LOSS = 0.1
"""Mean training loss up to which a network counts as fitting its labels."""

BOUNDS_AND_PATHS = ("PAC-Bayes bound", "path norm")
"""Explanations that have a comparison with N_eff of their own, as in the paper."""

NOTHING_LEFT = 1e-9
"""Mean squared residual of ranks below which regression leaves rounding errors alone."""


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
    def fitting(self) -> NDArray[np.bool_]:
        """Whether each network (seeds, m) fits its training labels."""
        return self.networks.train_error <= INTERPOLATION

    @property
    def interpolating(self) -> NDArray[np.bool_]:
        """Whether the networks of all seeds fit their training labels, for each width (m,)."""
        return np.asarray(self.fitting.all(axis=0))


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


@dataclass(frozen=True)
class FixedSize:
    """All runs of ``fixed_size``: networks (seeds, m), and the recipe and start of each (m,).

    Attributes:
        recipe: the place of a network's weight decay and batch size among all pairs of the two.
        start: of the initial weights.
    """

    networks: Measurements
    recipe: Integers
    start: Integers

    @classmethod
    def of(cls, runs: Sequence[FixedSizeRun]) -> FixedSize:
        """Return the networks of runs, one run a seed.

        Raises:
            GengapError: a seed has two runs, or other networks than another seed.
        """
        results = [run.result for run in runs]
        trained = [
            np.stack([result.weight_decay, result.batch_size, result.start]) for result in results
        ]
        seeds = {run.seed for run in runs}
        if len(seeds) < len(runs) or any(not np.array_equal(one, trained[0]) for one in trained):
            raise GengapError(
                "The runs of 'fixed_size' are not one of each seed with the same networks: give "
                "weight decays, batch sizes and starts as settings, and leave its grid empty."
            )
        recipes = np.unique(trained[0][:2], axis=1, return_inverse=True)[1]
        return cls(
            join([result.networks for result in results], np.stack),
            recipes.ravel().astype(np.int64),
            results[0].start,
        )

    @property
    def fitting(self) -> NDArray[np.bool_]:
        """Whether the training loss of each network (seeds, m) is low."""
        return self.networks.train_loss <= LOW_TRAIN_LOSS

    def reproduced(self) -> list[float] | None:
        """Return how alike two starts order the recipes by test loss, among those that fit.

        Returns:
            Spearman's correlation of each seed, the mean over pairs of starts; None with one.
        """
        starts, recipes = np.unique(self.start), np.unique(self.recipe)
        if len(starts) < 2:
            return None
        places = np.array(
            [
                [
                    np.flatnonzero((self.start == start) & (self.recipe == recipe))[0]
                    for recipe in recipes
                ]
                for start in starts
            ]
        )
        losses, fitting = self.networks.test_loss[:, places], self.fitting[:, places]
        pairs = [
            correlations_by_seed(
                losses[:, first], losses[:, second], fitting[:, first] & fitting[:, second]
            )
            for first, second in itertools.combinations(range(len(starts)), 2)
        ]
        return [float(value) for value in np.mean(pairs, axis=0)]


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


def partial_correlations_by_seed(
    first: Floats, second: Floats, given: Sequence[Floats], selected: NDArray[np.bool_]
) -> list[float]:
    """Return Spearman's partial correlation of values (seeds, ...), given others of that shape.

    The networks are selected as for :func:`correlations_by_seed`.

    Returns:
        One per seed; NaN where too few networks are selected, or the others leave nothing.
    """
    networks = np.broadcast_to(selected, first.shape)
    return [
        partial_rank_correlation(
            first[seed][chosen], second[seed][chosen], [values[seed][chosen] for values in given]
        )
        for seed, chosen in enumerate(networks)
    ]


def partial_rank_correlation(first: Floats, second: Floats, given: Sequence[Floats]) -> float:
    """Return Spearman's partial correlation of values (n,), given others (n,).

    It is Pearson's correlation of what linear regression on the others' ranks leaves of the ranks.

    Returns:
        The correlation; NaN for fewer than three degrees of freedom, and where nothing is left.
    """
    if len(first) < len(given) + 3:
        return math.nan
    design = np.column_stack([np.ones(len(first)), *map(rankdata, given)])
    ranks = np.column_stack([rankdata(first), rankdata(second)])
    left = ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    squares = (left**2).sum(axis=0)
    if squares.min() < NOTHING_LEFT * len(first):
        return math.nan
    return float(left[:, 0] @ left[:, 1] / np.sqrt(squares.prod()))


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
