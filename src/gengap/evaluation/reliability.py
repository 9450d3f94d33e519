"""How much of what tells networks apart is a measure's own noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gengap.evaluation.designs import Designs


def reliability(designs: Designs) -> pd.Series:
    """Compute the share of each measure's variance over the networks that is not its own noise.

    It is 1 - mean(s^2) / var, with the standard errors s of the values and their variance over the
    networks (divisor N - 1): the reliability of classical test theory (Lord and Novick 1968,
    "Statistical theories of mental test scores", section 3.3). The correlation of two independent
    measurements of the same networks has it as its expectation, and no correlation with the gap
    can exceed its root by more than chance.

    Args:
        designs: the measures, of which scalar ones may have standard errors.

    Returns:
        Numbers in [0, 1], index measure, in the order of the designs; NaN for a measure without
        standard errors, or one whose values are all equal.
    """
    shares = {
        design.name: _share(design.values[:, 0], designs.standard_errors[design.name])
        if design.name in designs.standard_errors
        else np.nan
        for design in designs.measures
    }
    index = pd.Index(shares, name="measure", dtype=object)
    return pd.Series(list(shares.values()), index=index, name="reliability", dtype=np.float64)


def _share(values: np.ndarray, errors: np.ndarray) -> float:
    """Return the share of the variance of values (networks,) that is no noise."""
    if len(values) < 2 or np.ptp(values) == 0:
        return float("nan")
    return float(np.clip(1 - np.mean(errors**2) / np.var(values, ddof=1), 0, 1))
