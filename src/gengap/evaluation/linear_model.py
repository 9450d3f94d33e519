"""The full regression table of one measure."""

from __future__ import annotations

import re
import warnings

import numpy as np

from gengap.evaluation.designs import Design
from gengap.evaluation.regression import TRANSFORMS, principal_components, transformed


def ordinary_least_squares(design: Design, gaps: np.ndarray) -> str:
    """Summarise the least-squares fit of the gap on a measure over all networks, by statsmodels.

    The date and time that statsmodels prints are blanked, so equal input gives equal text.
    A measure that is reduced or transformed in cross-validation enters by its principal components,
    or transformed, by the same rule over all networks.

    Args:
        design: the measure, (networks, components).
        gaps: (networks,).

    Returns:
        The summary as text.
    """
    # Here, since predicting needs neither the table nor the seconds of this import.
    from statsmodels.regression.linear_model import OLS

    values, names = design.values, [f"{design.name}[{name}]" for name in design.components]
    if design.kind == "scalar":
        columns, kinds = transformed(values, np.ones((1, len(gaps)), dtype=bool))
        values, transform = columns[0], TRANSFORMS[int(kinds[0, 0])]
        names = [design.name if transform == "identity" else f"{transform}({design.name})"]
    if design.reduced:
        values, _ = principal_components(values, values)
        names = [f"{design.name}[PC{index + 1}]" for index in range(values.shape[1])]
    columns = np.column_stack([np.ones(len(gaps)), values])
    with warnings.catch_warnings():
        # The normality tests of the residuals warn below 20 networks; the table shows the number.
        warnings.simplefilter("ignore")
        summary = OLS(gaps, columns).fit().summary(yname="gap", xname=["intercept", *names])
    text = str(summary.as_text())
    for stamp in (r"(?<=Date:)\s+\w{3}, \d{2} \w{3} \d{4}", r"(?<=Time:)\s+\d{2}:\d{2}:\d{2}"):
        text = re.sub(stamp, lambda match: " " * len(match.group()), text)
    return f"The gap on {design.name}, {len(gaps)} networks\n\n{text}\n"
