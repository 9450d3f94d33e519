"""The report: what was trained, what was left out, and how it was predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from gengap.prediction.assessment import FAR
from gengap.prediction.intervals import LEVEL
from gengap.studies.prediction.left_out import (
    ARCHITECTURES,
    CONSTANT,
    DRAW,
    DRAW_OF_LARGE,
    DRAWS_OF_LARGE,
    DRAWS_OF_SEED,
    HYPER_PARAMETERS,
    MEASURES,
    NETWORK,
    PARTS,
    TRAINING,
)
from gengap.studies.prediction.recipe_folds import FOLDS
from gengap.studies.prediction.summaries import ALL, Findings, mean_tau

LEFT_OUT = {
    NETWORK: f"a part of the networks (one of {PARTS}), on the reference's own draws",
    DRAW: f"networks of other draws of the training data; {DRAWS_OF_SEED} draws predict",
    DRAW_OF_LARGE: (
        f"networks of other draws of the training data; {DRAWS_OF_LARGE} draws predict"
    ),
    ARCHITECTURES: "networks with a level of template, depth or width that the reference lacks",
}
"""What is left out, in words."""

AIMS = {"digits": (0.75, 0.5), "fashion_mnist": (0.6, 0.75)}
"""Least R2 over left-out draws, and largest width as a part of the constant's, of a large reference
of 160 networks."""
REASONS = """\
In the paper setting, R² and width lack the level of a new draw. Measures order the networks of a \
draw, but hardly tell its mean gap. On digits the mean gaps of draws deviate by .0096, and five \
other draws miss them by .0097. The networks of a draw are then missed by .0129. With the level \
known, R² is what the table of other draws says. The families baseline, competition and \
functional_graph alone reach .62 there, and all five families .63.

Intervals were changed after a look at digits and MNIST. Those for networks on a draw of the \
reference left out draws, which these networks have. They covered .955 of the networks of the \
other five data sets. They leave out grid points now. Those for other draws took Student's t for \
the error of the draw alone, and covered .968; they count the degrees of freedom of both errors \
now. No one had looked at intervals of CIFAR-10 before."""
"""Why some aims are missed, and what was changed; figures of a single look at the paper setting."""

ALSO_TRIED = """\
On digits in the paper setting, five draws predict the others. R² is the mean over left-out draws, \
where no network is declined.

| predictor | R² | with the level known | draws on which it is better |
| --- | --- | --- | --- |
| ridge or Gaussian process, as chosen by left-out draws | 0.633 | 0.767 | |
| forest of 200 trees, a third of the measures at a split | 0.648 | 0.769 | 2 of 9 |
| 100 boosted trees of depth two, monotone in each measure | 0.623 | 0.740 | 2 of 9 |
| any of these, as chosen by left-out draws | 0.628 | 0.764 | 1 of 9 |
| ridge or Gaussian process, with a random level of each draw | 0.642 | 0.777 | at least 5 of 9 |

Left-out draws choose a tree for one of nine references, and lose by it. A random level of each \
draw loses on MNIST (0.469 against 0.491). So neither is a candidate."""
"""What did not win; figures of a single look at the zoo of digits in the paper setting."""

COVERED = (0.87, 0.95)
COVERED_SHIFTED = 0.85
DECLINED = 0.95


def report(findings: Findings, setting: str) -> str:
    """Return the report as Markdown.

    Args:
        findings: the tables.
        setting: of the study that made them.
    """
    return "\n\n".join(
        [
            "# prediction: how well gaps of left-out networks are predicted",
            f"Written by `snakemake prediction --config setting={setting}`; `data_dir` names a "
            "folder with the official files of the data sets that need them. Predictors were not "
            "tuned on these networks. Aims that were not reached are listed, too.",
            "## Reached and not reached",
            "The aims for digits and Fashion-MNIST are for references of 160 networks.",
            aims(findings),
            REASONS,
            "## Networks",
            zoos(findings.zoos),
            "## Coverage and width",
            coverage(findings.coverage),
            "## Other draws of the training data",
            draws(findings),
            "## Other architectures",
            architectures(findings.coverage),
            "## Other data sets",
            pairs(findings.pairs),
            "## Cross-validating the training recipe",
            recipes(findings.recipes, findings.zoos),
            "## Also tried",
            ALSO_TRIED,
            "",
        ]
    )


def aims(findings: Findings) -> str:
    """Return a table of what was aimed at and what was reached."""
    rows = []
    for left_out in (NETWORK, DRAW, DRAW_OF_LARGE):
        row = row_of(findings.coverage, left_out, ALL, MEASURES)
        if row is not None:
            low, high = COVERED
            rows.append(
                (
                    f"coverage of {LEVEL:.0%} intervals, left out: {left_out}",
                    f"{low} to {high}",
                    f"{with_interval(row['coverage'], row['low'], row['high'])}, "
                    f"{predicted(row)} predictions",
                    verdict(low <= row["coverage"] <= high),
                )
            )
    row = row_of(findings.coverage, ARCHITECTURES, ALL, MEASURES)
    if row is not None:
        rows.append(
            (
                "coverage under another architecture, of networks that are not declined",
                f"at least {COVERED_SHIFTED}",
                f"{with_interval(row['coverage'], row['low'], row['high'])}, "
                f"{predicted(row)} predictions",
                verdict(row["coverage"] >= COVERED_SHIFTED) if predicted(row) else "none left",
            )
        )
        rows.append(
            (
                "networks of another architecture that are declined",
                f"at least {DECLINED}",
                number(row["declined"]),
                verdict(row["declined"] >= DECLINED),
            )
        )
    if len(findings.pairs):
        share = weighted_mean(findings.pairs, "declined")
        rows.append(
            (
                "networks of another data set that are declined",
                f"at least {DECLINED}",
                number(share),
                verdict(share >= DECLINED),
            )
        )
        mean, low, high = mean_tau(findings.pairs)
        pairs_known = int(findings.pairs["tau"].notna().sum())
        rows.append(
            (
                "tau of predicted rank and gap on another data set",
                "to be stated",
                f"{with_interval(mean, low, high)}, {pairs_known} pairs",
                "",
            )
        )
    for task, (least, widest) in AIMS.items():
        rows += aims_of_task(findings, task, least, widest)
    return markdown(("what", "aim", "measured", ""), rows)


def aims_of_task(
    findings: Findings, task: str, least: float, widest: float
) -> list[tuple[str, str, str, str]]:
    """Return what was aimed at and reached with a reference of a task.

    Args:
        findings: the tables.
        task: its name.
        least: R2 over left-out draws to reach.
        widest: width of the intervals, as a part of the constant's, not to exceed.

    Returns:
        Rows of what, aim, measured and verdict.
    """
    rows = []
    for left_out, draws_known in ((DRAW_OF_LARGE, DRAWS_OF_LARGE), (DRAW, DRAWS_OF_SEED)):
        score = findings.r2[(findings.r2["left_out"] == left_out) & (findings.r2["task"] == task)]
        row = row_of(findings.coverage, left_out, task, MEASURES)
        if not len(score) or row is None:
            continue
        own, aimed = score.iloc[0], left_out == DRAW_OF_LARGE
        reference = f"{draws_known} draws, {row['known']:.0f} networks predict"
        rows.append(
            (
                f"{task}: mean R² over left-out draws; {reference}",
                f"at least {least}" if aimed else "to be stated",
                with_interval(own["r2"], own["low"], own["high"]),
                verdict(own["r2"] >= least) if aimed else "",
            )
        )
        rows.append(
            (
                f"{task}: R² above that of hyper-parameters; {reference}",
                "higher mean",
                f"{number(own['r2'])} against {number(own['hyper_parameters'])}; on "
                f"{own['above']} of {own['draws']} draws",
                verdict(own["r2"] > own["hyper_parameters"]),
            )
        )
        rows.append(
            (
                f"{task}: width as a part of the constant's; {reference}",
                f"at most {widest}" if aimed else "to be stated",
                number(row["relative_width"]),
                verdict(row["relative_width"] <= widest) if aimed else "",
            )
        )
    return rows


def zoos(table: pd.DataFrame) -> str:
    """Describe the networks that were trained."""
    text = (
        f"Every network is trained by Adam to a training cross-entropy of 0.02. A draw of the "
        f"training data has one network of each grid point, and the draws of a task share no image "
        f"as long as its pool lasts. A seed is {DRAWS_OF_SEED} draws, with initial weights and "
        f"batch orders of their own; all draws of a task share the test data. Images "
        f"other than the digits are resized to 14 x 14 pixels. These and the tables are "
        f"normalised. The grids stand in [prediction.yaml](prediction.yaml)."
    )
    rows = [
        (
            row["task"],
            row["train_size"],
            f"{row['points']} x {row['draws']}",
            row["networks"],
            f"{row['test_accuracy']:.3f}",
            f"{row['gap']:.3f} ± {row['spread']:.3f}",
        )
        for _, row in table.iterrows()
    ]
    header = ("task", "training inputs", "grid points x draws", "networks that are fit",
              "mean test accuracy", "gap, mean ± deviation")  # fmt: skip
    return f"{text}\n\n{markdown(header, rows)}\n\nNetworks in all: {int(table['networks'].sum())}."


def coverage(table: pd.DataFrame) -> str:
    """Return a table of coverage and width for each thing that is left out."""
    parts = [
        f"Intervals are nominal {LEVEL:.0%} ones. Measures decline some networks; the other "
        f"predictors decline none and get intervals by the same method. A reference declines all "
        f"networks where no predictor beats its mean gap. In brackets are 95% bootstrap intervals "
        f"that resample draws of the training data. Width is in accuracy, and in brackets as a "
        f"part of the constant's on the same networks.",
        "![Coverage against width](prediction.svg)",
    ]
    for left_out in (NETWORK, DRAW, DRAW_OF_LARGE):
        own = table[table["left_out"] == left_out]
        if not len(own):
            continue
        rows = []
        for task in pd.unique(own["task"]):
            for predictor in (MEASURES, HYPER_PARAMETERS, TRAINING, CONSTANT):
                row = row_of(own, left_out, task, predictor)
                if row is not None:
                    rows.append(
                        (
                            task,
                            predictor,
                            row["networks"],
                            f"{row['declined']:.1%}",
                            with_interval(row["coverage"], row["low"], row["high"]),
                            with_part(row["width"], row["relative_width"]),
                            number(row["error"]),
                        )
                    )
        header = ("task", "predictor", "networks", "declined", "coverage", "width", "mean error")
        parts.append(f"Left out: {LEFT_OUT[left_out]}.\n\n{markdown(header, rows)}")
    return "\n\n".join(parts)


def draws(findings: Findings) -> str:
    """Return R2 over left-out draws."""
    text = (
        "R² of the networks of one draw is taken around their own mean gap. So it is below 0 where "
        "the level of the draw is missed by more than its networks differ. It is the mean over the "
        "references that do not have the draw; intervals are Student t ones over draws, whose "
        "references overlap, so they are too narrow. With the level known, each draw's predictions "
        "are shifted to its mean gap: what is lost beside that is the level of the draw, which "
        "measures do not tell. Networks that measures decline are left out "
        "for both predictors. A task of which measures decline all networks is missing."
    )
    rows = []
    for _, row in findings.r2.iterrows():
        own = findings.scores[
            (findings.scores["left_out"] == row["left_out"])
            & (findings.scores["task"] == row["task"])
        ]
        size = DRAWS_OF_LARGE if row["left_out"] == DRAW_OF_LARGE else DRAWS_OF_SEED
        rows.append(
            (
                row["task"],
                size,
                with_interval(row["r2"], row["low"], row["high"]),
                number(row["within"]),
                number(row["hyper_parameters"]),
                f"{row['above']} of {row['draws']}",
                ", ".join(number(value) for value in own[MEASURES]),
            )
        )
    header = ("task", "draws that predict", "R² of measures", "with the level known",
              "R² of hyper-parameters", "draws on which measures are better",
              "R² of measures by draw")  # fmt: skip
    return f"{text}\n\n{markdown(header, rows)}"


def architectures(table: pd.DataFrame) -> str:
    """Return what becomes of networks of an architecture that the reference lacks."""
    rows = []
    for task in pd.unique(table["task"]):
        row = row_of(table, ARCHITECTURES, task, MEASURES)
        constant = row_of(table, ARCHITECTURES, task, CONSTANT)
        if row is not None and constant is not None:
            rows.append(
                (
                    task,
                    row["networks"],
                    f"{row['declined']:.1%}",
                    predicted(row),
                    with_interval(row["coverage"], row["low"], row["high"]),
                    number(row["width"]),
                    number(constant["coverage"]),
                )
            )
    text = (
        f"Left out: {LEFT_OUT[ARCHITECTURES]}. The reference has the same {DRAWS_OF_SEED} draws of "
        f"the training data."
    )
    header = ("task", "networks", "declined", "predictions", "coverage", "width",
              "coverage of the constant")  # fmt: skip
    return f"{text}\n\n{markdown(header, rows)}"


def pairs(table: pd.DataFrame) -> str:
    """Return what references say of other data sets."""
    if not len(table):
        return "There is one data set."
    mean, low, high = mean_tau(table)
    known = table.dropna(subset=["tau"])
    shared = table.dropna(subset=["far"])
    text = (
        f"The first {DRAWS_OF_SEED} draws of a task are the reference, and predict all networks of "
        f"each other task. Of "
        f"{int(table['networks'].sum())} predictions {weighted_mean(table, 'declined'):.1%} are "
        f"declined, since the data differ. By their distance in measures alone (p < {FAR}) "
        f"{weighted_mean(shared, 'far'):.1%} would be. What may carry over is order. Kendall's "
        f"tau-b of predicted rank and gap is {with_interval(mean, low, high)} in the mean over "
        f"{len(known)} pairs, with a jackknife interval over data sets. It is above 0 in "
        f"{int((known['tau'] > 0).sum())} of them."
    )
    rows = [
        (
            row["reference"],
            row["task"],
            row["networks"],
            f"{row['declined']:.1%}",
            "" if math.isnan(row["far"]) else f"{row['far']:.1%}",
            with_interval(row["tau"], row["low"], row["high"]) if row["seeds"] else "no rank",
        )
        for _, row in table.iterrows()
    ]
    header = ("reference", "predicted", "networks", "declined", "declined by distance alone",
              "tau, mean over seeds")  # fmt: skip
    return f"{text}\n\n{markdown(header, rows)}"


def recipes(table: pd.DataFrame, zoo: pd.DataFrame) -> str:
    """Return what cross-validation of the training recipe costs and reaches."""
    if not len(table):
        return "No recipe was cross-validated."
    text = (
        f"Without a reference one would train the recipe {FOLDS} times on a part of the training "
        f"data and test it on the rest. The gap is then the network's training accuracy less the "
        f"cross-validated one, with Wilson's {LEVEL:.0%} interval of that. It is biased upwards, "
        f"since fewer inputs train the network. The other predictors "
        f"are judged on the same networks, from references of {DRAWS_OF_SEED} other draws."
    )
    rows = [
        (
            row["task"],
            row["way"],
            row["networks"],
            number(row["coverage"]),
            number(row["width"]),
            number(row["error"]),
            number(row["seconds"]),
        )
        for _, row in table.iterrows()
    ]
    header = ("task", "way", "networks", "coverage", "width", "mean error",
              "CPU seconds a network")  # fmt: skip
    costs = [
        (
            row["task"],
            number(row["training_seconds"]),
            number(row["measuring_seconds"]),
            number(row["training_seconds"] * row["points"] * DRAWS_OF_SEED / 60),
        )
        for _, row in zoo.iterrows()
    ]
    costly = ("task", "training a network, CPU s", "measuring a network, CPU s",
              f"training a reference of {DRAWS_OF_SEED} draws, CPU min")  # fmt: skip
    return (
        f"{text}\n\n{markdown(header, rows)}\n\nA reference costs its training once; a network "
        f"then costs its measures. The start of the jobs is included.\n\n{markdown(costly, costs)}"
    )


def row_of(table: pd.DataFrame, left_out: str, task: str, predictor: str) -> pd.Series[Any] | None:
    """Return the row of a summary, or None where there is none."""
    own = table[
        (table["left_out"] == left_out)
        & (table["task"] == task)
        & (table["predictor"] == predictor)
    ]
    return own.iloc[0] if len(own) else None


def predicted(row: pd.Series[Any]) -> int:
    """Return how many predictions of a row are not declined."""
    return round(float(row["predictions"]) * (1 - float(row["declined"])))


def weighted_mean(table: pd.DataFrame, column: str) -> float:
    """Return the mean of a column over all networks of the rows."""
    return float((table[column] * table["networks"]).sum() / table["networks"].sum())


def verdict(reached: bool) -> str:
    """Return whether an aim is reached, in words."""
    return "reached" if reached else "**not reached**"


def number(value: float) -> str:
    """Return a number with three digits, or nothing where it is not known."""
    return "" if not math.isfinite(value) else f"{value:.3g}"


def with_part(value: float, part: float) -> str:
    """Return a number, and in brackets what part of another it is."""
    return f"{number(value)} ({part:.2f})" if math.isfinite(value) else ""


def with_interval(value: float, low: float, high: float) -> str:
    """Return a number with its interval."""
    if not math.isfinite(value):
        return ""
    if not (math.isfinite(low) and math.isfinite(high)):
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
