"""Estimates of a study: one number per seed, with an interval that stays inside its bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from gengap.studies.outcomes import Floats, RunT, group_runs

CONFIDENCE = 0.95

SAME = 1e-12
"""Values that differ by less than this times their size differ by rounding alone."""

SHRUNK = 0.99
"""Fisher's z is taken of a correlation times this, so that a correlation of 1 has a finite one."""

MOST_SEEDS = 1000
"""An effect that takes more seeds than this is not counted further."""


Unit = Literal["seed", "network"]
"""What one value of an estimate belongs to."""


class Kind(Enum):
    """What the number of one seed is, which sets how its mean is judged.

    ================ ==============================================================================
    kind             interval of the mean over seeds
    ================ ==============================================================================
    ``MEAN``         Student's t
    ``SHARE``        Student's t, cut to [0, 1]
    ``DIFFERENCE``   Student's t, cut to [-1, 1]: a difference of two shares, or of two correlations
    ``CORRELATION``  Student's t of Fisher's z (Fisher 1921), whose mean is turned back
    ``SEEDS``        1 where a seed shows something and 0 where not: exact (Clopper, Pearson 1934)
    ================ ==============================================================================

    The mean of bounded numbers lies inside their bounds. Cutting its interval there takes no
    coverage from it.
    """

    MEAN = "Student's t"
    SHARE = "Student's t in [0, 1]"
    DIFFERENCE = "Student's t in [-1, 1]"
    CORRELATION = "Fisher's z"
    SEEDS = "exact, of seeds"


BOUNDS = {Kind.SHARE: (0.0, 1.0), Kind.DIFFERENCE: (-1.0, 1.0), Kind.CORRELATION: (-1.0, 1.0)}


class Interval(NamedTuple):
    """A mean and the ends of its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A number of which each seed has one value.

    Attributes:
        values: one per seed, in the order of the seeds.
        kind: what they are.
    """

    values: Sequence[float]
    kind: Kind = Kind.MEAN

    @property
    def equal(self) -> bool:
        """Whether all values are equal, so that they say nothing of their spread."""
        values = np.asarray(self.values, dtype=float)
        return bool(len(values)) and bool(np.ptp(values) <= SAME * abs(values[0]))

    @property
    def known(self) -> bool:
        """Whether there are values of two seeds or more, and none is missing."""
        return len(self.values) > 1 and bool(np.all(np.isfinite(self.values)))

    def without(self, seed: int) -> Estimate:
        """Return the estimate without the value at a place; all of it beyond the last place."""
        return Estimate([*self.values[:seed], *self.values[seed + 1 :]], self.kind)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the mean and its two-sided interval.

        Values that are not finite make all three NaN. One value alone has an infinite interval, and
        so have equal values, unless they count seeds.
        """
        values = np.asarray(self.values, dtype=float)
        if not len(values) or not np.all(np.isfinite(values)):
            return Interval(math.nan, math.nan, math.nan)
        if self.kind is Kind.SEEDS:
            test = stats.binomtest(round(values.sum()), len(values))
            low, high = test.proportion_ci(confidence)
            return Interval(float(values.mean()), float(low), float(high))
        if self.equal:
            return Interval(float(values[0]), -math.inf, math.inf)
        scores = self._scores(values)
        error = float(scores.std(ddof=1)) / math.sqrt(len(scores))
        half = float(special.stdtrit(len(scores) - 1, (1 + confidence) / 2)) * error
        mean = float(scores.mean())
        ends = [self._unscored(score) for score in (mean, mean - half, mean + half)]
        least, most = BOUNDS.get(self.kind, (-math.inf, math.inf))
        return Interval(*(float(np.clip(end, least, most)) for end in ends))

    def evidence(self, limit: float) -> tuple[float, float]:
        """Return the p-values of two one-sided tests.

        Equal values decide by the sign test: n of them on one side have a p-value of 2^-n.

        Returns:
            That of a mean above the limit, which is small where it lies above, and that of one
            below. Both are 1 where values are missing, and where one value is all there is.
        """
        values = np.asarray(self.values, dtype=float)
        if not self.known:
            return 1.0, 1.0
        if self.kind is Kind.SEEDS:
            above, below = (
                float(stats.binomtest(round(values.sum()), len(values), limit, side).pvalue)
                for side in ("greater", "less")
            )
            return above, below
        if self.equal:
            sign = 0.5 ** len(values)
            return (
                sign if values[0] > limit else 1.0,
                sign if values[0] < limit else 1.0,
            )
        scores = self._scores(values)
        (score,) = self._scores(np.array([limit]))
        error = float(scores.std(ddof=1)) / math.sqrt(len(scores))
        t = (float(scores.mean()) - score) / error
        # As stats.t.sf, a hundred times as fast.
        return float(special.stdtr(len(scores) - 1, -t)), float(special.stdtr(len(scores) - 1, t))

    def seeds_needed(self, limit: float, level: float) -> int | None:
        """Return how many seeds would tell a mean such as the observed one from a limit.

        One seed fewer must do so too, since no verdict may rest on one seed. The spread over seeds
        is taken to be the observed one.

        Args:
            limit: from which the mean is to be told.
            level: of the one-sided test.

        Returns:
            The number; None where it is above :data:`MOST_SEEDS`, or where values are missing.
        """
        values = np.asarray(self.values, dtype=float)
        if not self.known:
            return None
        seeds = np.arange(2, MOST_SEEDS)
        enough = self._expected_evidence(values, limit, seeds) <= level
        # Of counts of seeds, a number may be enough where the next one is not.
        both = np.flatnonzero(enough[:-1] & enough[1:])
        return int(seeds[both[0] + 1]) if len(both) else None

    def _expected_evidence(self, values: Floats, limit: float, seeds: NDArray[np.int_]) -> Floats:
        """The p-values of numbers of seeds with the mean and the spread of these values."""
        if self.kind is Kind.SEEDS:
            share = float(values.mean())
            shown = np.round(share * seeds)
            if share > limit:
                return np.asarray(stats.binom.sf(shown - 1, seeds, limit))
            return np.asarray(stats.binom.cdf(shown, seeds, limit))
        if self.equal:
            return np.ones(len(seeds)) if values[0] == limit else np.power(0.5, seeds)
        scores = self._scores(values)
        (score,) = self._scores(np.array([limit]))
        effect = abs(float(scores.mean()) - score) / float(scores.std(ddof=1))
        return np.asarray(special.stdtr(seeds - 1, -effect * np.sqrt(seeds)))

    def _scores(self, values: Floats) -> Floats:
        """What Student's t is taken of."""
        return np.arctanh(SHRUNK * values) if self.kind is Kind.CORRELATION else values

    def _unscored(self, score: float) -> float:
        return math.tanh(score) / SHRUNK if self.kind is Kind.CORRELATION else score


Estimates = dict[str, Estimate]
"""Numbers behind a claim, by name."""


def interval(values: Sequence[float] | Floats) -> Interval:
    """Return the mean of independent values (n,), and the ends of its 95% Student t interval."""
    return Estimate(list(values)).interval()


def format_interval(estimate: Estimate, unit: Unit = "seed") -> str:
    """Return mean and interval as text, such as ``0.52 (0.41 to 0.63)``.

    Without an interval the text says why: ``0.52 (one seed)``, ``1 (all 3 equal)``, ``unknown`` or
    ``unknown in 1 of 3 seeds``.

    Args:
        estimate: one value per seed or network.
        unit: what they belong to.
    """
    mean, spread = mean_and_interval(estimate, unit)
    return f"{mean} ({spread})" if mean else spread


def mean_and_interval(estimate: Estimate, unit: Unit = "seed") -> tuple[str, str]:
    """Return the mean and its interval as texts, or no mean and why there is none.

    Args:
        estimate: one value per seed or network.
        unit: what they belong to.
    """
    values = np.asarray(estimate.values, dtype=float)
    unknown = int((~np.isfinite(values)).sum())
    if unknown == len(values):
        return "", "unknown"
    if unknown:
        return "", f"unknown in {unknown} of {len(values)} {unit}s"
    mean, low, high = estimate.interval()
    if math.isfinite(low):
        return f"{mean:.3g}", f"{low:.3g} to {high:.3g}"
    return f"{mean:.3g}", f"all {len(values)} equal" if len(values) > 1 else f"one {unit}"


def of_kind(numbers: Mapping[str, Sequence[float]], kind: Kind) -> Estimates:
    """Return numbers by seed as estimates of one kind, by the same names."""
    return {name: Estimate(values, kind) for name, values in numbers.items()}


def by_seed(
    runs: Sequence[RunT], quantity: Callable[[RunT], float], kind: Kind = Kind.MEAN
) -> Estimate:
    """Return the mean of a quantity over the runs of each seed, in the order of the seeds."""
    groups = group_runs(runs, lambda run: run.seed)
    means = [float(np.mean([quantity(run) for run in groups[seed]])) for seed in sorted(groups)]
    return Estimate(means, kind)


def by_group(
    groups: Mapping[str, Sequence[RunT]],
    quantity: Callable[[RunT], float],
    kind: Kind = Kind.MEAN,
) -> Estimates:
    """Return a quantity of each run, by the groups of runs that differ by seed alone."""
    return {name: Estimate([quantity(run) for run in runs], kind) for name, runs in groups.items()}


def difference(
    runs: Sequence[RunT],
    first: Callable[[RunT], float],
    second: Callable[[RunT], float],
    kind: Kind = Kind.MEAN,
) -> Estimate:
    """Return the first quantity less the second, the mean over the runs of each seed."""
    return by_seed(runs, lambda run: first(run) - second(run), kind)


def log_ratio(
    runs: Sequence[RunT], first: Callable[[RunT], float], second: Callable[[RunT], float]
) -> Estimate:
    """Return log10 of the first quantity over the second, the mean over the runs of each seed.

    Numbers that are not positive count as the smallest positive one.
    """
    tiny = float(np.finfo(float).tiny)
    return by_seed(
        runs, lambda run: float(np.log10(max(first(run), tiny) / max(second(run), tiny)))
    )


def rank_correlation(first: Floats, second: Floats) -> float:
    """Return Spearman's rank correlation of values (n,).

    NaN for fewer than three values, and where all values of one side are equal.
    """
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(stats.spearmanr(first, second).statistic)
