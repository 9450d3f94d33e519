"""Draw the picture at the head of the README from the results of the default run.

python scripts/front_picture.py results/digits writes docs/front.png: measured gaps against those
predicted by all measures together, and the leaderboard's best measure of each family.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import checkout  # noqa: F401
from gengap import tasks
from gengap.errors import GengapError
from gengap.figures import measure_label, save
from gengap.figures.style import BLACK, GREY, PALE, PALETTE, new_figure, styled

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "front.png"
TOGETHER = "combination.all"
REFERENCES = {
    TOGETHER: "all measures together",
    "reference.hyper_parameters_pairwise": "hyper-parameters",
    "reference.mean": "the mean gap",
}
SHOWN = 9
"""Families whose best measure is shown."""


def known_levels(task: tasks.Task, held_out: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with the mean gap of each draw taken as known, as the leaderboard scores.

    Args:
        task: the task.
        held_out: columns network, gap and prediction.

    Returns:
        The same table, whose predictions have the mean of the gaps in each draw.
    """
    draws = {name: network.metrics.replicate for name, network in task.networks.items()}
    groups = held_out.groupby(held_out["network"].astype(str).map(draws))
    shift = groups["gap"].transform("mean") - groups["prediction"].transform("mean")
    return held_out.assign(prediction=held_out["prediction"] + shift)


@styled
def picture(table: pd.DataFrame, board: pd.DataFrame) -> Figure:
    """Draw both panels.

    Args:
        table: predictions by all measures together: gap and prediction.
        board: evaluation's leaderboard.

    Returns:
        The figure.
    """
    figure = new_figure(7.2, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    _plot_predictions(left, table)
    _plot_leaderboard(right, board)
    return figure


def _plot_predictions(axes: Axes, table: pd.DataFrame) -> None:
    low, high = table["gap"].min() - 0.01, table["gap"].max() + 0.01
    axes.axline((low, low), slope=1, color=BLACK, linewidth=0.8)
    axes.plot(
        table["prediction"], table["gap"], "o", color=PALETTE[0], markeredgecolor="white",
        markersize=5, markeredgewidth=0.6,
    )  # fmt: skip
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel("predicted gap, network held out")
    axes.set_ylabel("measured gap: training − test accuracy")
    axes.set_title("All measures together")


def _plot_leaderboard(axes: Axes, board: pd.DataFrame) -> None:
    scores = board.set_index("measure")["r2_mean"]
    ranked = board[board["rank"].notna()].sort_values("r2_mean", ascending=False)
    best = ranked.drop_duplicates("family").head(SHOWN)
    rows = [
        (measure_label(str(name)), float(score), False)
        for name, score in best.set_index("measure")["r2_mean"].items()
    ]
    rows += [(label, float(scores[name]), True) for name, label in REFERENCES.items()]
    rows.sort(key=lambda row: row[1])
    positions = np.arange(len(rows))
    for position, (_, score, is_reference) in zip(positions, rows, strict=True):
        colour = BLACK if is_reference else PALETTE[0]
        axes.plot([0, score], [position, position], color=colour, linewidth=1.6, alpha=0.45)
        axes.plot(score, position, "D" if is_reference else "o", color=colour, markersize=4.5)
        beside = 5 if score >= 0 else 8
        axes.annotate(
            f"{score:.2f}".replace("-", "−"), (max(score, 0), position), xytext=(beside, 0),
            textcoords="offset points", va="center", size=7, color=colour,
        )  # fmt: skip
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.set_yticks(positions, [label for label, _, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(-0.03, 0.86), xlabel="R² of the gap, networks held out", facecolor=PALE)
    axes.set_title("What predicts the gap?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the results of the default run: results/digits")
    folder = parser.parse_args().folder
    try:
        held_out = pd.read_csv(folder / "evaluation" / "held_out.csv")
        board = pd.read_csv(folder / "evaluation" / "leaderboard.csv")
        together = held_out[held_out["name"] == TOGETHER]
        save(picture(known_levels(tasks.load(folder), together), board), PICTURE)
    except (GengapError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
