"""A paper's claims beside what was measured, with seeds and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
VERDICTS = {True: "agrees", False: "disagrees", None: "undecided"}
COLUMNS = ["claim", "paper", "measured", "verdict", "estimate", "seeds", "mean", "low", "high"]


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


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of independent values with its 95% Student t interval: (mean, low, high).

    Values that are not finite make all three NaN, and one value alone has an infinite interval.
    """
    sample = np.asarray(values, dtype=float)
    if not len(sample) or not np.all(np.isfinite(sample)):
        return math.nan, math.nan, math.nan
    mean = float(sample.mean())
    if len(sample) == 1:
        return mean, -math.inf, math.inf
    error = float(sample.std(ddof=1)) / math.sqrt(len(sample))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(sample) - 1)) * error
    return mean, mean - half, mean + half


def format_interval(values: Sequence[float]) -> str:
    """Mean and interval, as ``0.52 (0.41 to 0.63)``."""
    if not values:
        return "unknown"
    mean, low, high = interval(values)
    return f"{mean:.3g} ({low:.3g} to {high:.3g})"


def exceeds(values: Sequence[float], limit: float = 0.0) -> bool | None:
    """Whether the mean is above a limit: None where the interval has both sides, or is unknown."""
    _, low, high = interval(values)
    return True if low > limit else False if high < limit else None


def all_hold(*verdicts: bool | None) -> bool | None:
    """False if one is, undecided if one is, else true."""
    return False if False in verdicts else None if None in verdicts else True


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's, of values (n,); NaN of fewer than three, or where all are equal."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(stats.spearmanr(first, second).statistic)


def claims_table(claims: Sequence[Claim]) -> pd.DataFrame:
    """One row per estimate of each claim, with the columns of ``COLUMNS``."""
    rows = [
        (
            *(claim.title, claim.paper, claim.measured, VERDICTS[claim.holds]),
            *(name, len(values), *interval(values)),
        )
        for claim in claims
        for name, values in claim.estimates.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def claims_page(study: str, setting: str, claims: Sequence[Claim]) -> str:
    """The claims as a page of Markdown."""
    lines = [
        f"# {study}: the paper's claims, and what was measured",
        "",
        f"Written by `snakemake {study} --config setting={setting}`. Intervals are 95% Student t "
        "intervals of the mean over seeds.",
    ]
    for claim in claims:
        lines += ["", f"## {claim.title}", "", f"*Paper:* {claim.paper}", ""]
        lines += [f"*Measured:* {claim.measured}", "", f"**{VERDICTS[claim.holds]}**", ""]
        lines += ["| estimate | seeds | mean | 95% interval |", "|---|---|---|---|"]
        for name, values in claim.estimates.items():
            mean, low, high = interval(values)
            lines.append(f"| {name} | {len(values)} | {mean:.3g} | {low:.3g} to {high:.3g} |")
    return "\n".join(lines) + "\n"
