"""A paper's claims beside what was measured, with seeds and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from gengap.studies.outcomes import Floats, RunT, group_runs

CONFIDENCE = 0.95
VERDICTS = {True: "agrees", False: "disagrees", None: "undecided"}
COLUMNS = ["claim", "paper", "measured", "verdict", "estimate", "seeds", "mean", "low", "high"]

LEAST_EQUAL = 6
"""Equal values of fewer seeds decide nothing. By the sign test all of six on one side of a bound do
at the 95% level: 2 (1/2)^6 = 0.031."""

SAME = 1e-12
"""Values that differ by less than this times their size differ by rounding alone."""

Estimates = dict[str, list[float]]
"""Numbers behind a claim: by name, one value per seed."""


@dataclass(frozen=True)
class Bound:
    """A limit, and whether a claim expects the mean of an estimate above or below it."""

    limit: float = 0.0
    above: bool = True

    def holds(self, values: Sequence[float]) -> bool | None:
        """Return whether the mean lies on the expected side; None where the seeds are undecided."""
        verdict = exceeds(values, self.limit)
        return verdict if self.above or verdict is None else not verdict


POSITIVE = Bound()
"""The bound of most claims: the mean is above 0."""


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Attributes:
        title: the claim in a few words.
        paper: what the paper says.
        measured: what was found here, in one sentence with its numbers.
        holds: whether the paper's claim agrees with it; None if the seeds do not decide it.
        estimates: the numbers behind it: by name, one value per seed.
    """

    title: str
    paper: str
    measured: str
    holds: bool | None
    estimates: Mapping[str, Sequence[float]]

    @classmethod
    def judged(
        cls,
        title: str,
        paper: str,
        measured: str,
        estimates: Mapping[str, Sequence[float]],
        bounds: Bound | Mapping[str, Bound] = POSITIVE,
    ) -> Claim:
        """Return a claim whose verdict is that of its estimates, see :func:`verdict`."""
        return cls(title, paper, measured, verdict(estimates, bounds), estimates)


def interval(values: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Return the mean of independent values (n,), and the ends of its 95% Student t interval.

    Returns:
        Mean, lower and upper end. Values that are not finite make all three NaN. One value alone
        has an infinite interval, and so have equal values: they say nothing of their spread.
    """
    sample = np.asarray(values, dtype=float)
    if not len(sample) or not np.all(np.isfinite(sample)):
        return math.nan, math.nan, math.nan
    mean = float(sample.mean())
    if np.allclose(sample, sample[0], rtol=SAME, atol=0):
        return float(sample[0]), -math.inf, math.inf
    error = float(sample.std(ddof=1)) / math.sqrt(len(sample))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(sample) - 1)) * error
    return mean, mean - half, mean + half


def format_interval(values: Sequence[float]) -> str:
    """Return mean and interval as text, such as ``0.52 (0.41 to 0.63)``.

    Without an interval the text says why: ``0.52 (one seed)``, ``1 (all 3 equal)``, ``unknown`` or
    ``unknown in 1 of 3 seeds``.
    """
    mean, spread = _mean_and_interval(values)
    return f"{mean} ({spread})" if mean else spread


def _mean_and_interval(values: Sequence[float]) -> tuple[str, str]:
    """The mean and its interval as texts, or no mean and why there is none."""
    unknown = int((~np.isfinite(np.asarray(values, dtype=float))).sum())
    if unknown == len(values):
        return "", "unknown"
    if unknown:
        return "", f"unknown in {unknown} of {len(values)} seeds"
    mean, low, high = interval(values)
    if math.isfinite(low):
        return f"{mean:.3g}", f"{low:.3g} to {high:.3g}"
    return f"{mean:.3g}", f"all {len(values)} equal" if len(values) > 1 else "one seed"


def listed(
    estimates: Mapping[str, Sequence[float]],
    *,
    form: str = "{name} {interval}",
    separator: str = ", ",
) -> str:
    """Return estimates in a row, such as ``loss 0.52 (0.41 to 0.63), error ...``."""
    return separator.join(
        form.format(name=name, interval=format_interval(values))
        for name, values in estimates.items()
    )


def exceeds(values: Sequence[float], limit: float = 0.0) -> bool | None:
    """Return whether the mean is above a limit; None if the interval holds it or is unknown.

    Equal values have no interval. From six seeds on they decide by the sign test.
    """
    mean, low, high = interval(values)
    if len(values) >= LEAST_EQUAL and math.isinf(low):
        low = high = mean
    return True if low > limit else False if high < limit else None


def all_hold(*verdicts: bool | None) -> bool | None:
    """Return False if one verdict is False, None if one is undecided, and True otherwise."""
    return False if False in verdicts else None if None in verdicts else True


def verdict(
    estimates: Mapping[str, Sequence[float]], bounds: Bound | Mapping[str, Bound] = POSITIVE
) -> bool | None:
    """Return whether the means of several estimates are on the expected sides of their bounds.

    There is one bound for all estimates, or one for each of those that decide.

    Returns:
        True if the 95% intervals of all are, False if that of one is on the other side, else None.
    """
    if isinstance(bounds, Bound):
        bounds = dict.fromkeys(estimates, bounds)
    return all_hold(*(bound.holds(estimates[name]) for name, bound in bounds.items()))


def by_seed(runs: Sequence[RunT], quantity: Callable[[RunT], float]) -> list[float]:
    """Return the mean of a quantity over the runs of each seed, in the order of the seeds."""
    groups = group_runs(runs, lambda run: run.seed)
    return [float(np.mean([quantity(run) for run in groups[seed]])) for seed in sorted(groups)]


def by_group(groups: Mapping[str, Sequence[RunT]], quantity: Callable[[RunT], float]) -> Estimates:
    """Return a quantity of each run, by the groups of runs that differ by seed alone."""
    return {name: [quantity(run) for run in runs] for name, runs in groups.items()}


def difference(
    runs: Sequence[RunT], first: Callable[[RunT], float], second: Callable[[RunT], float]
) -> list[float]:
    """Return the first quantity less the second, the mean over the runs of each seed."""
    return by_seed(runs, lambda run: first(run) - second(run))


def log_ratio(
    runs: Sequence[RunT], first: Callable[[RunT], float], second: Callable[[RunT], float]
) -> list[float]:
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


def claims_table(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return one row per estimate of each claim, with the columns of :data:`COLUMNS`."""
    rows = [
        (
            *(claim.title, claim.paper, claim.measured, VERDICTS[claim.holds]),
            *(name, len(values), *interval(values)),
        )
        for claim in claims
        for name, values in claim.estimates.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def claims_page(
    study: str, setting: str, claims: Sequence[Claim], unjudged: Sequence[str] = ()
) -> str:
    """Return the claims as a page of Markdown, and the experiments on which none bears."""
    lines = [
        f"# {study}: the paper's claims, and what was measured",
        "",
        f"Written by `snakemake {study} --config setting={setting}`. Intervals are 95% Student t "
        "intervals of the mean over seeds. One seed, and equal values, have none.",
    ]
    for claim in claims:
        lines += ["", f"## {claim.title}", "", f"*Paper:* {claim.paper}", ""]
        lines += [f"*Measured:* {claim.measured}", "", f"**{VERDICTS[claim.holds]}**", ""]
        lines += ["| estimate | seeds | mean | 95% interval |", "|---|---|---|---|"]
        for name, values in claim.estimates.items():
            mean, spread = _mean_and_interval(values)
            lines.append(f"| {name} | {len(values)} | {mean} | {spread} |")
    if unjudged:
        names = ", ".join(f"`{name}`" for name in unjudged)
        lines += ["", f"No claim of the paper is judged by these experiments: {names}."]
    return "\n".join(lines) + "\n"
