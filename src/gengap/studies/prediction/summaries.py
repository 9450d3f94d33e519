"""Coverage, width and R2 of predictions of left-out networks, and what carries over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from gengap.prediction.assessment import FAR, r2_score
from gengap.prediction.intervals import LEVEL
from gengap.seeding import generator
from gengap.studies.estimates import interval
from gengap.studies.prediction.left_out import (
    CONSTANT,
    DRAW,
    DRAW_OF_LARGE,
    DRAWS_OF_SEED,
    HYPER_PARAMETERS,
    MEASURES,
)
from gengap.tasks import load

RESAMPLES = 2000
CONFIDENCE = 0.95
ALL = "all"
"""In place of a task: all tasks together."""
WITHIN = "measures, level known"
"""Column of R2 that predictions by measures would have if they had the mean gap of the draw."""
TABLES = ("zoos", "coverage", "scores", "r2", "pairs", "recipes")
"""The tables of :class:`Findings`."""


@dataclass(frozen=True)
class Findings:
    """What the report is made of.

    Attributes:
        zoos: one row a task: task, train_size, points, draws, networks, test_accuracy, gap, spread
            (standard deviation of the gap), training_seconds and measuring_seconds (CPU time a
            network).
        coverage: see :func:`coverage_table`.
        scores: see :func:`r2_table`.
        r2: see :func:`r2_summary`.
        pairs: see :func:`pair_table`.
        recipes: see :func:`recipe_table`.
    """

    zoos: pd.DataFrame
    coverage: pd.DataFrame
    scores: pd.DataFrame
    r2: pd.DataFrame
    pairs: pd.DataFrame
    recipes: pd.DataFrame


def findings_of(folders: Sequence[Path]) -> Findings:
    """Read what was predicted of the tasks of a study, and summarise it.

    Args:
        folders: of the tasks.

    Returns:
        The tables of the report.
    """
    named = {folder.name: folder / "prediction" for folder in folders}
    table = with_outcomes(
        {
            name: pd.read_csv(folder / "left_out.csv", dtype={"level": str})
            for name, folder in named.items()
        }
    )
    carried = pd.concat([pd.read_csv(folder / "carried_over.csv") for folder in named.values()])
    recipes = pd.concat(
        [pd.read_csv(folder / "recipes.csv").assign(task=name) for name, folder in named.items()],
        ignore_index=True,
    )
    scores = r2_table(table)
    return Findings(
        zoos=pd.DataFrame([zoo_row(folder) for folder in folders]),
        coverage=coverage_table(table),
        scores=scores,
        r2=r2_summary(scores),
        pairs=pair_table(carried, DRAWS_OF_SEED),
        recipes=recipe_table(recipes, table),
    )


def zoo_row(folder: Path) -> dict[str, object]:
    """Describe the networks of a task, see :attr:`Findings.zoos`."""
    task = load(folder)
    fit = [entry for entry in task.networks.values() if entry.unfit() is None]
    gaps = np.array([entry.gap for entry in fit])
    rows = fit[0].rows()
    return {
        "task": task.name,
        "train_size": len(task.train.labels) if rows is None else len(rows),
        "points": math.prod(len(values) for values in task.grid.values()),
        "draws": 1 + max(entry.metrics.replicate for entry in task.networks.values()),
        "networks": len(fit),
        "test_accuracy": np.mean([entry.metrics.test_accuracy for entry in fit]),
        "gap": gaps.mean(),
        "spread": gaps.std(ddof=1),
        "training_seconds": cpu_seconds(folder, "train") / len(task.networks),
        "measuring_seconds": cpu_seconds(folder, "measure") / len(task.networks),
    }


def with_outcomes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the left-out networks of several tasks, and add what became of each prediction.

    Args:
        tables: of :func:`gengap.studies.prediction.left_out.left_out`, by task.

    Returns:
        Their rows with the columns task, inside (whether the gap is in the interval), width, error
        (absolute) and constant_width (of the constant, of the same split and network).
    """
    table = pd.concat([one.assign(task=name) for name, one in tables.items()], ignore_index=True)
    table["declined"] = table["declined"].astype(bool)
    table["inside"] = (table["low"] <= table["gap"]) & (table["gap"] <= table["high"])
    table["width"] = table["high"] - table["low"]
    table["error"] = (table["prediction"] - table["gap"]).abs()
    keys = ["task", "left_out", "level", "reference", "network"]
    constant = table[table["predictor"] == CONSTANT].set_index(keys)["width"]
    return table.join(constant.rename("constant_width"), on=keys)


def coverage_table(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise how often intervals hold, and how wide they are.

    The interval of a coverage is a bootstrap percentile interval that resamples draws of the
    training data, since networks of one draw share its error.

    Args:
        table: from :func:`with_outcomes`.

    Returns:
        One row for each left_out, task (or :data:`ALL`) and predictor: networks (distinct),
        predictions (several references predict one network), known (mean number of networks of a
        reference), declined (share), coverage, low, high, width, relative_width (to the constant's
        on the same networks) and error. The last six are of predictions that are not declined; NaN
        where there is none.
    """
    rows = []
    for left_out, task, group in _with_all(table):
        for predictor, own in group.groupby("predictor", sort=False):
            predicted = own[~own["declined"]]
            low, high = cluster_interval(predicted)
            rows.append(
                {
                    "left_out": left_out,
                    "task": task,
                    "predictor": predictor,
                    "networks": len(own[["task", "network"]].drop_duplicates()),
                    "predictions": len(own),
                    "known": own["networks"].mean(),
                    "declined": own["declined"].mean(),
                    "coverage": predicted["inside"].mean() if len(predicted) else math.nan,
                    "low": low,
                    "high": high,
                    "width": predicted["width"].mean(),
                    "relative_width": (
                        predicted["width"].mean() / predicted["constant_width"].mean()
                        if len(predicted)
                        else math.nan
                    ),
                    "error": predicted["error"].mean(),
                }
            )
    return pd.DataFrame(rows)


def _with_all(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for left_out, group in table.groupby("left_out", sort=False):
        for task, own in group.groupby("task", sort=False):
            yield str(left_out), str(task), own
        yield str(left_out), ALL, group


def cluster_interval(predicted: pd.DataFrame) -> tuple[float, float]:
    """Return a 95% interval of the coverage, by resampling draws of the training data.

    Args:
        predicted: rows with task, draw and inside.

    Returns:
        Its ends; NaN where there are fewer than two draws.
    """
    sums = predicted.groupby(["task", "draw"])["inside"].agg(["sum", "count"]).to_numpy(float)
    if len(sums) < 2:
        return math.nan, math.nan
    chance = generator(0, "studies", "prediction", "bootstrap")
    chosen = sums[chance.integers(len(sums), size=(RESAMPLES, len(sums)))].sum(axis=1)
    ends = np.quantile(chosen[:, 0] / chosen[:, 1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(ends[0]), float(ends[1])


def r2_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the R2 of each left-out draw, around its own mean gap.

    Args:
        table: from :func:`with_outcomes`.

    Returns:
        One row for each left_out (:data:`DRAW` or :data:`DRAW_OF_LARGE`), task and draw, with a
        column for each predictor: the mean R2 over references; and :data:`WITHIN`. All predictors
        are judged on the networks that measures do not decline.
    """
    of_draws = table[table["left_out"].isin([DRAW, DRAW_OF_LARGE])]
    keys = ["left_out", "task", "reference", "draw"]
    measured = of_draws[of_draws["predictor"] == MEASURES]
    declined = measured.set_index([*keys, "network"])["declined"].rename("refused")
    of_draws = of_draws.join(declined, on=[*keys, "network"])
    of_draws = of_draws[~of_draws["refused"].astype(bool)]
    scores = []
    for key, group in of_draws.groupby([*keys, "predictor"], sort=False):
        row = dict(zip([*keys, "predictor"], key, strict=True))
        predictions, gaps = group["prediction"].to_numpy(float), group["gap"].to_numpy(float)
        scores.append({**row, "r2": r2_score(predictions, gaps)})
        if row["predictor"] == MEASURES:
            levelled = predictions + np.mean(gaps - predictions)
            scores.append({**row, "predictor": WITHIN, "r2": r2_score(levelled, gaps)})
    by_reference = pd.DataFrame(scores, columns=[*keys, "predictor", "r2"])
    index = ["left_out", "task", "draw"]
    return by_reference.pivot_table("r2", index, "predictor", sort=False).reset_index()


def r2_summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Summarise R2 over left-out draws.

    Args:
        scores: from :func:`r2_table`.

    Returns:
        One row for each left_out and task: draws, the mean R2 of measures with the ends of its 95%
        Student t interval over draws (r2, low, high), that of hyper-parameters, on how many draws
        the former is higher (above), and the mean of :data:`WITHIN` (within).
    """
    rows = []
    for (left_out, task), group in scores.groupby(["left_out", "task"], sort=False):
        mean, low, high = interval(group[MEASURES].to_numpy(float))
        rows.append(
            {
                "left_out": left_out,
                "task": task,
                "draws": len(group),
                "r2": mean,
                "low": low,
                "high": high,
                "hyper_parameters": group[HYPER_PARAMETERS].mean(),
                "above": int((group[MEASURES] > group[HYPER_PARAMETERS]).sum()),
                "within": group[WITHIN].mean(),
            }
        )
    return pd.DataFrame(rows)


def pair_table(carried: pd.DataFrame, draws_of_seed: int) -> pd.DataFrame:
    """Summarise what each reference says of each other data set.

    Args:
        carried: from :func:`gengap.studies.prediction.carried_over.carried_over`, of all
            references.
        draws_of_seed: draws of the training data that are one seed.

    Returns:
        One row a pair: reference, task, networks, declined (share), far (share whose distance
        alone declines them; NaN where no measure is shared), tau (mean over seeds of Kendall's
        tau-b of predicted rank and gap), low and high (its 95% Student t interval over seeds), and
        seeds. The last four are NaN, and 0, where networks lack measures of the reference.
    """
    rows = []
    for (reference, task), group in carried.groupby(["reference", "task"], sort=False):
        known = group.dropna(subset=["rank"])
        taus = [
            float(stats.kendalltau(own["rank"].to_numpy(float), own["gap"]).statistic)
            for _, own in known.groupby(known["replicate"] // draws_of_seed)
        ]
        taus = [tau for tau in taus if math.isfinite(tau)]
        mean, low, high = interval(taus) if taus else (math.nan,) * 3
        p = group["distance_p"].dropna()
        rows.append(
            {
                "reference": reference,
                "task": task,
                "networks": len(group),
                "declined": group["declined"].astype(bool).mean(),
                "far": (p < FAR).mean() if len(p) else math.nan,
                "tau": mean,
                "low": low,
                "high": high,
                "seeds": len(taus),
            }
        )
    return pd.DataFrame(rows)


def mean_tau(pairs: pd.DataFrame) -> tuple[float, float, float]:
    """Return the mean of tau over pairs, with an interval that allows for shared data sets.

    Pairs share their data sets, so the standard error is that of the jackknife that deletes one
    data set, with all its pairs (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    Args:
        pairs: from :func:`pair_table`.

    Returns:
        The mean, and the ends of its 95% Student t interval; NaN where fewer than three data sets
        have pairs without it.
    """
    known = pairs.dropna(subset=["tau"])
    names = sorted({*known["reference"], *known["task"]})
    means = [
        known[(known["reference"] != name) & (known["task"] != name)]["tau"].mean()
        for name in names
    ]
    means = [mean for mean in means if math.isfinite(mean)]
    mean, count = float(known["tau"].mean()), len(means)
    if count < 3:
        return mean, math.nan, math.nan
    error = math.sqrt((count - 1) / count * np.sum((np.array(means) - np.mean(means)) ** 2))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    return mean, mean - half, mean + half


def recipe_table(recipes: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Set cross-validated recipes beside predictions of the same networks.

    The interval of a cross-validated accuracy is Wilson's, of the share of inputs that are right
    (Wilson, "Probable inference", Journal of the American Statistical Association 22, 1927).

    Args:
        recipes: of :func:`gengap.studies.prediction.recipe_folds.cross_validated_recipes`, of all
            tasks, with the column task.
        table: from :func:`with_outcomes`.

    Returns:
        One row a task (or :data:`ALL`) and way (cross-validation or a predictor): networks,
        coverage, width, error, seconds (CPU time a network; NaN for predictors). Predictors are
        judged on the same networks, from references of other draws; those that are declined are
        left out.
    """
    share = recipes["correct"] / recipes["tested"]
    low, high = wilson(recipes["correct"].to_numpy(), recipes["tested"].to_numpy())
    gap = recipes["train_accuracy"] - share
    own = pd.DataFrame(
        {
            "task": recipes["task"],
            "predictor": "cross-validation",
            "network": recipes["network"].astype(str),
            "inside": (recipes["train_accuracy"] - high <= recipes["gap"])
            & (recipes["gap"] <= recipes["train_accuracy"] - low),
            "width": high - low,
            "error": (gap - recipes["gap"]).abs(),
            "seconds": recipes["seconds"],
        }
    )
    of_draws = table[(table["left_out"] == DRAW) & ~table["declined"]]
    of_draws = of_draws.assign(network=of_draws["network"].str.rpartition("/")[2])
    same = of_draws.merge(own[["task", "network"]], on=["task", "network"])
    both = pd.concat([own, same[[name for name in own if name in same]]], ignore_index=True)
    rows = []
    for task in [*pd.unique(recipes["task"]), ALL]:
        chosen = both if task == ALL else both[both["task"] == task]
        for way, group in chosen.groupby("predictor", sort=False):
            rows.append(
                {
                    "task": task,
                    "way": way,
                    "networks": len(group[["task", "network"]].drop_duplicates()),
                    "coverage": group["inside"].astype(bool).mean(),
                    "width": group["width"].mean(),
                    "error": group["error"].mean(),
                    "seconds": group["seconds"].mean(),
                }
            )
    return pd.DataFrame(rows)


def wilson(correct: np.ndarray, tested: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's interval of a share, at :data:`LEVEL`.

    Args:
        correct: (n,) counts.
        tested: (n,) out of so many.

    Returns:
        (n,) each.
    """
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    share = correct / tested
    centre = (share + z**2 / (2 * tested)) / (1 + z**2 / tested)
    root = np.sqrt(share * (1 - share) / tested + z**2 / (4 * tested**2))
    half = z * root / (1 + z**2 / tested)
    return centre - half, centre + half


def cpu_seconds(folder: Path, stage: str) -> float:
    """Return the CPU time that the jobs of a stage of a task took, from their benchmarks.

    Args:
        folder: of the task.
        stage: folder of benchmarks, such as ``train`` or ``measure``.

    Returns:
        Seconds, start of the jobs included; NaN where a benchmark was not measured.
    """
    paths = sorted((folder / "benchmarks" / stage).rglob("*.tsv"))
    times = [pd.to_numeric(pd.read_csv(path, sep="\t")["cpu_time"], "coerce") for path in paths]
    return float(sum(own.sum(min_count=1) for own in times)) if times else math.nan
