"""Checkpoints over time: spectrum, G_theta and neural collapse while a network trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gengap.curvature.collapse import collapse_of
from gengap.figures.style import DOUBLE_COLUMN, legend_below, new_figure, styled
from gengap.networks import set_weights
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.sabanayagam2023.maps import SETUP_COLOURS, SETUP_LABELS
from gengap.studies.sabanayagam2023.quantities import measured_g_theta, spectrum_of
from gengap.studies.sabanayagam2023.solutions import memorised, solve
from gengap.training import loss_and_accuracy

PANELS = {
    "train_loss": "training loss",
    "lambda_1": r"$\lambda_1$",
    "trace": r"tr $H$",
    "outliers": "outliers",
    "g_theta_count": r"$G_\theta$ (count)",
    "nc1": "NC1",
    "nc2_angles": "NC2 (angles)",
    "nc2_norms": "NC2 (norms)",
    "nc3": "NC3",
    "nc4": "NC4",
}
LOGARITHMIC = ("train_loss", "lambda_1", "trace", "nc1")


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    random_training: Mapping[str, Any],
    checkpoints: Sequence[int],
    setups: Sequence[str] = ("normal", "adversarial"),
) -> Outcome:
    """Train from each start and measure the network at each checkpoint.

    Args:
        context: seed, data and device.
        dataset: keywords of ``gengap.datasets.load``.
        network: see :func:`~gengap.studies.sabanayagam2023.solutions.network_of`.
        training: keywords of the recipe.
        random_training: keywords laid over them for the random labels.
        checkpoints: epochs; 0 is the start.
        setups: any of ``normal``, ``adversarial``, ``large_norm``.

    Returns:
        Values ``<setup>_<quantity>`` of the last checkpoint; arrays of all.
    """
    data = load_data(context, dataset)
    random = solve(context, data, network, {**training, **random_training}, "random_labels")
    values = memorised(random)
    arrays: dict[str, np.ndarray] = {"checkpoints": np.array(checkpoints)}
    for setup in setups:
        first = None if setup == "normal" else random.result.weights
        solution = solve(
            context, data, network, training, setup, first=first, checkpoints=checkpoints
        )
        rows = []
        for epoch in checkpoints:
            set_weights(
                solution.network, solution.result.checkpoints[epoch], source="the checkpoint"
            )
            loss, _ = loss_and_accuracy(solution.network, data.train)
            spectrum = spectrum_of(context, solution.network, data.train, "cross_entropy")
            g = measured_g_theta(context, solution.network, data.train, spectrum)
            rows.append(
                {
                    "train_loss": loss,
                    "test_accuracy": loss_and_accuracy(solution.network, data.test)[1],
                    "lambda_1": float(spectrum.values[0]),
                    "trace": spectrum.trace,
                    "outliers": float(spectrum.outliers),
                    "g_theta_count": float(g.count),
                    **collapse_of(solution.network, data.train),
                }
            )
        values |= {f"{setup}_{key}": value for key, value in rows[-1].items()}
        arrays |= {f"{setup}_{key}": np.array([row[key] for row in rows]) for key in rows[0]}
    return Outcome(values, arrays)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``dynamics``: every quantity over epochs, a line per run and the mean."""
    return {"dynamics": dynamics(runs)}


@styled
def dynamics(runs: Sequence[Run]) -> Figure:
    """A panel per quantity; epochs on a logarithmic axis that starts with 0."""
    figure = new_figure(DOUBLE_COLUMN, 3.4)
    panels = np.ravel(figure.subplots(2, 5, sharex=True))
    first = runs[0].outcome.arrays
    setups = [key[: -len("_nc1")] for key in first if key.endswith("_nc1")]
    handles: list[Any] = []
    for axes, (name, label) in zip(panels, PANELS.items(), strict=True):
        handles = []
        for setup in setups:
            curves = np.array([each.outcome.arrays[f"{setup}_{name}"] for each in runs])
            colour = SETUP_COLOURS[setup]
            axes.plot(first["checkpoints"], curves.T, color=colour, alpha=0.3, linewidth=0.6)
            handles += axes.plot(
                first["checkpoints"], curves.mean(axis=0), color=colour, label=SETUP_LABELS[setup]
            )
        axes.set_title(label)
        axes.set_xscale("symlog", linthresh=1)
        if name in LOGARITHMIC and all(
            np.all(each.outcome.arrays[f"{s}_{name}"] > 0) for each in runs for s in setups
        ):
            axes.set_yscale("log")
    for axes in panels[5:]:
        axes.set_xlabel("epoch")
    legend_below(figure, handles)
    return figure
