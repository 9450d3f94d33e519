"""The evaluation of a task: which measures predict its generalisation gap, and how surely."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.combination import ALL as COMBINED
from gengap.evaluation.combination import (
    BEST_SINGLE,
    Combination,
    combine,
    held_out_table,
)
from gengap.evaluation.comparison import comparisons, groups
from gengap.evaluation.correlations import ALL, correlation_tables
from gengap.evaluation.designs import (
    COMBINATION,
    HYPER_PARAMETERS,
    MEAN,
    MODEL,
    REFERENCE,
    Designs,
    draw_indices,
    natural_key,
    prepare,
)
from gengap.evaluation.duplicates import merged
from gengap.evaluation.environments import partial_tau, robustness
from gengap.evaluation.folds import Folds, repeated_folds
from gengap.evaluation.linear_model import ordinary_least_squares
from gengap.evaluation.questions import (
    ADDS_TO_ADDITIVE,
    ADDS_TO_PAIRWISE,
    BEATS_MEAN,
    WITHIN_ENVIRONMENTS,
    ask,
)
from gengap.evaluation.rank_statistics import STATISTICS
from gengap.evaluation.references import HYPER_PARAMETERS_PAIRWISE, excess_of_products
from gengap.evaluation.regression import fold_scores, pooled_r2
from gengap.evaluation.reliability import reliability
from gengap.evaluation.scoring import Row, interval_width, score
from gengap.evaluation.verdict import verdict
from gengap.files import writing
from gengap.limits import LEAST_NETWORKS
from gengap.names import GAPS
from gengap.seeding import generator

REDUCED = (
    "persistence_image", "persistence_landscape", "persistence_silhouette", "heat_kernel",
    "layer_statistics", "layer_diagrams",
)  # fmt: skip
"""Measures that are sampled functions or statistics of each layer: principal components replace
their many values."""
TIE_DIGITS = 12
"""Measures whose mean R2 agree to this many digits are sorted by name."""
P_COLUMNS = {
    "p_mean": BEATS_MEAN,
    "p_additive": ADDS_TO_ADDITIVE,
    "p_pairwise": ADDS_TO_PAIRWISE,
    "p_within": WITHIN_ENVIRONMENTS,
}
"""The question that each column of family-wise p values answers."""
ENVIRONMENT_STATISTICS = ("psi", "sign_error_mean", "sign_error_worst")
LEADERBOARD_COLUMNS = (
    "rank", "measure", "family", "kind", "components", "duplicates", "transform",
    "underdetermined", "eligible", "r2_mean", "r2_std", "r2_new_draw", "increment_additive",
    "increment_pairwise",
    *P_COLUMNS,
    *(f"{name}{suffix}" for name in STATISTICS for suffix in ("", "_low", "_high", "_p")),
    "partial_tau", *ENVIRONMENT_STATISTICS, "reliability", "width_90", "mean_error",
    "networks", "left_out",
)  # fmt: skip
TYPES: Any = {
    "rank": "Int64", "name": str, "stratum": str, "measure": str, "family": str,
    "duplicates": str, "transform": str, "against": str, "network": str, "hyper_parameter": str,
}  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """The tables of one task.

    Attributes:
        leaderboard: rank (the group of measures that cannot be told apart; missing for references,
            combinations and measures that are not eligible), measure, family, kind (scalar, vector,
            reference, combination), components, duplicates (names joined by spaces), transform
            (identity, log or rank, of scalars), underdetermined, eligible, r2_mean and r2_std
            (n - 1) over repeats, r2_new_draw (with the level of each draw predicted, too; missing
            where there is one draw), increment_additive, increment_pairwise (R2 with the
            hyper-parameters less theirs alone), p_mean, p_additive, p_pairwise, p_within
            (family-wise p of the questions), kendall, kendall_low, kendall_high, kendall_p, the
            same for spearman and pearson, partial_tau, psi, sign_error_mean, sign_error_worst
            (over all environments), reliability, width_90 (of a 90 % interval for one new network),
            mean_error (absolute, held out), networks, left_out; by falling r2_mean.
        repeats: measure, repeat, r2; as many repeats as the row has.
        tests: measure, against (the best measure and each reference), difference of R2 in the
            repeats that both have, low, high (95 %), p, p_holm, probability_better,
            probability_equal, probability_worse.
        questions: measure, question, statistic, p, p_family, networks.
        correlations: measure, statistic, stratum, estimate, low, high, p, p_family, networks.
        environments: measure, hyper_parameter ("all" for the mean over them), psi, sign_error_mean,
            sign_error_worst, environments, pairs, pairs_left_out.
        combination: name, learner, measures, r2_mean, r2_std, mean_error, width_90.
        importance: family, importance (loss of R2 when its columns are permuted), low, high.
        learning_curve: name, networks, r2_mean, low, high, width_90.
        held_out: name, network, gap, prediction (mean over repeats) of the best rows and of what
            they are compared with.
        left_out: what is not compared: kind (network, measure, or model: that of products of
            hyper-parameters), name, reason.
        best_ols: statsmodels' summary of the best measure.
        summary: what the tables say, in paragraphs (``verdict.verdict``).
    """

    leaderboard: pd.DataFrame
    repeats: pd.DataFrame
    tests: pd.DataFrame
    questions: pd.DataFrame
    correlations: pd.DataFrame
    environments: pd.DataFrame
    combination: pd.DataFrame
    importance: pd.DataFrame
    learning_curve: pd.DataFrame
    held_out: pd.DataFrame
    left_out: pd.DataFrame
    best_ols: str
    summary: str

    def write(self, folder: str | Path) -> None:
        """Write each table to ``<folder>/<name>.csv`` and each text to ``<folder>/<name>.txt``."""
        for field in fields(self):
            content = getattr(self, field.name)
            if isinstance(content, str):
                with writing(Path(folder) / f"{field.name}.txt") as part:
                    part.write_text(content, encoding="utf-8")
            else:
                with writing(Path(folder) / f"{field.name}.csv") as part:
                    content.to_csv(part, index=False, lineterminator="\n")

    @classmethod
    def read(cls, folder: str | Path) -> Evaluation:
        """Read what ``write`` wrote; floats come back bit for bit.

        Returns:
            The tables in the folder.

        Raises:
            GengapError: a table is missing or damaged.
        """
        texts = [field.name for field in fields(cls) if field.type == "str"]
        names = [field.name for field in fields(cls) if field.name not in texts]
        paths = {name: Path(folder) / f"{name}.csv" for name in names}
        paths |= {name: Path(folder) / f"{name}.txt" for name in texts}
        for path in paths.values():
            if not path.is_file():
                raise GengapError(f"{path} is missing: run the evaluation of this task again.")
        try:
            content: dict[str, Any] = {
                name: pd.read_csv(paths[name], dtype=TYPES) for name in names
            }
            for column in ("duplicates", "transform"):
                content["leaderboard"][column] = content["leaderboard"][column].fillna("")
            content |= {name: paths[name].read_text("utf-8") for name in texts}
            return cls(**content)
        except (OSError, ValueError, KeyError) as error:
            raise GengapError(
                f"A file in {folder} cannot be read ({str(error).partition(chr(10))[0]}): run the "
                "evaluation of this task again."
            ) from error


def evaluate(
    measures: pd.DataFrame,
    gaps: pd.Series,
    grid: pd.DataFrame,
    *,
    training_accuracy: pd.Series,
    draws: pd.Series | None = None,
    gap_errors: pd.Series | None = None,
    standard_errors: pd.DataFrame | None = None,
    leave_out: Mapping[str, str] | None = None,
    correlate_within: str | None = None,
    rank_within: str | None = None,
    reduce: Collection[str] = REDUCED,
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
    gap_of: str = "accuracy",
) -> Evaluation:
    """Evaluate how well each measure predicts the gap over the networks of one task.

    Each measure's components are regressed on by ordinary least squares with an intercept. Scalars
    are transformed where they are highly skewed (``regression.transformed``). Predictions are of
    networks whose grid point, and whose draw of the training data, the fit did not see: repeated
    K-fold cross-validation with partitions that all rows share (``folds.repeated_folds``). The
    held-out predictions of a repeat are pooled into one R2. ``r2_std`` is the deviation of R2 over
    the repeats; it says how far the score depends on the partition, and is no standard error. What
    costs most has the first ``folds.NESTED_REPEATS`` repeats only: combinations, measures that are
    reduced to principal components, hyper-parameters, and increments. Two rows are compared in the
    repeats that both have.

    Measures that are affine maps of each other are one row (``duplicates.merged``). A measure with
    more coefficients than training networks is ``underdetermined``: it is scored by the solution of
    minimum norm, but is not ranked. Neither is a constant one. Ranks are groups of measures that
    cannot be told apart (``comparison.groups``). Reference rows are scored on the same networks
    (``references``); a task without hyper-parameters has no row of them, and then increments are
    over predicting the mean. ``tests`` compares every row with the best measure and with each
    reference (``comparison.compare``). The best was chosen on the same networks, so it is favoured
    there: a large p against it means "not shown to be worse".

    All measures are compared on the same networks. A network without any measure of some family is
    left out; a measure that another network lacks is not ranked (``designs.comparable``).
    ``left_out`` says which and why.

    Nothing depends on the order of rows: networks are taken in the natural order of their ids.

    Args:
        measures: tidy table of one task: task, network, family, measure, component, value.
        gaps: train minus test accuracy, or test minus train loss or error, index network.
        grid: hyper-parameters, index network, one column each. Columns that say nothing about
            training (a seed, a replicate's number) do not belong in it. There may be none.
        training_accuracy: index network; training losses or errors where the gaps are of them.
        draws: label of the draw of training data that each network saw, index network; None where
            all saw the same data.
        gap_errors: standard error of each gap from the finite test set, index network.
        standard_errors: tidy table like ``measures`` with the column standard_error.
        leave_out: networks that are not compared, with the reason.
        correlate_within: hyper-parameter within whose values the correlations are given again.
        rank_within: another one. Networks that share the values of both are one environment.
        reduce: prefixes of the names of measures that are replaced, inside each fold, by
            principal components (``regression.principal_component_scores``).
        resamples: bootstrap resamples of the networks.
        permutations: permutations of the gaps.
        seed: seed of the partitions, the bootstrap and the permutations.
        gap_of: what the gaps are of, one of :data:`gengap.names.GAPS`.

    Returns:
        The leaderboard, and the tables that it is based on.

    Raises:
        GengapError: the tables contradict each other, a hyper-parameter is unknown or has no name
            of its own, ``gap_of`` is unknown, there are too few networks, or all gaps are equal.
    """
    if gap_of not in GAPS:
        raise GengapError(f"gap_of is {gap_of!r}: choose one of {', '.join(GAPS)}.")
    for column in grid.columns:
        if not isinstance(column, str) or column == "all" or list(grid.columns).count(column) > 1:
            raise GengapError(
                f"A hyper-parameter is named {column!r}: give each a name of its own, as text and "
                "other than 'all', which stands for all of them."
            )
    for name in (correlate_within, rank_within):
        if name is not None and name not in grid.columns:
            raise GengapError(
                f"Unknown hyper-parameter {name!r} to stratify by: choose one of "
                f"{', '.join(map(str, grid.columns)) or 'none, since the task has none'}."
            )
    for label, count in (("resamples", resamples), ("permutations", permutations)):
        if not isinstance(count, int | np.integer) or count < 1:
            raise GengapError(f"{label} is {count!r}: give a whole number of at least 1.")
    everything = prepare(
        measures, gaps, grid, training_accuracy, reduce, gap_of,
        draws=draws, gap_errors=gap_errors, standard_errors=standard_errors, leave_out=leave_out,
    )  # fmt: skip
    require_enough(everything)
    designs, duplicates = merged(everything)
    within = list(
        dict.fromkeys(name for name in (correlate_within, rank_within) if name is not None)
    )
    return tables(designs, duplicates, within, Sampling(resamples, permutations, seed))


def require_enough(designs: Designs) -> None:
    """Refuse networks that cross-validation cannot work with.

    Raises:
        GengapError: there are too few networks, or gaps are equal: all of them, or those within
            each draw of the training data.
    """
    count, dropped = len(designs.networks), len(designs.left_out_networks())
    if count < LEAST_NETWORKS:
        lost = "" if not dropped else (
            f" ({dropped} left out, e.g. network {designs.left_out['name'].iloc[0]}: "
            f"{designs.left_out['reason'].iloc[0]})"
        )  # fmt: skip
        raise GengapError(
            f"Only {count} networks have a gap and measures of every family{lost}, but "
            f"cross-validation needs at least {LEAST_NETWORKS}: use more networks, or leave out "
            "the families that failed."
        )
    if np.ptp(designs.gaps) == 0:
        raise GengapError(
            f"The gap is {designs.gaps[0]:g} for all {count} networks, so there is nothing to "
            "predict: vary the hyper-parameters more."
        )
    draws = draw_indices(designs.draws, count)
    if not any(np.ptp(designs.gaps[draws == draw]) for draw in np.unique(draws)):
        raise GengapError(
            f"The gaps of the {count} networks differ only between draws of the training data, so "
            "there is nothing to predict within a draw: vary the hyper-parameters more."
        )


def require_training(designs: Designs, folds: Folds) -> None:
    """Refuse networks of which nearly all saw one draw of the training data.

    Raises:
        GengapError: some fold holds out all networks of the other draws.
    """
    if designs.draws is None or all(train.any(axis=1).all() for train, _ in folds.masks):
        return
    labels, counts = np.unique(np.asarray(designs.draws, dtype=str), return_counts=True)
    listed = ", ".join(f"{count} on {label}" for label, count in zip(labels, counts, strict=True))
    raise GengapError(
        "The networks of one draw of the training data are predicted from those of the others, "
        f"which are too few to be held out in turn ({listed}): train more networks on each draw, "
        "or leave out a draw of few."
    )


class Sampling(NamedTuple):
    """How often random numbers are drawn, and the seed of the streams."""

    resamples: int
    permutations: int
    seed: int

    def generator(self, purpose: str) -> np.random.Generator:
        """Return a separate random stream for each purpose."""
        return generator(self.seed, "evaluation", purpose)


def tables(
    designs: Designs,
    duplicates: Mapping[str, Sequence[str]],
    within: Sequence[str],
    sampling: Sampling,
) -> Evaluation:
    """Make all tables of an evaluation from checked input.

    Args:
        designs: the measures of a task, without duplicates.
        duplicates: names of the duplicates of the measures that have some.
        within: hyper-parameters within whose values measures are judged again.
        sampling: how random numbers are drawn.

    Returns:
        The evaluation.
    """
    folds = repeated_folds(designs.grid, designs.draws, sampling.generator("folds"))
    require_training(designs, folds)
    together = combine(designs, folds.nested, sampling.generator("combination"))
    rows = [*score(designs, folds, sampling.generator("references")), *combination_rows(together)]
    r2 = {row.name: pooled_r2(row.predictions, designs.gaps, designs.draws) for row in rows}
    rows = by_falling_score(rows, r2)
    names = [row.name for row in rows if row.eligible]
    measures = {design.name: design for design in designs.measures}
    questions = ask(
        replace(designs, measures=tuple(d for d in designs.measures if d.name in set(names))),
        environments=within,
        permutations=sampling.permutations,
        rng=sampling.generator("questions"),
    )
    correlations = correlation_tables(
        designs,
        within,
        resamples=sampling.resamples,
        permutations=sampling.permutations,
        seed=sampling.seed,
    )
    scores = {row.name: fold_scores(row.predictions, designs.gaps, folds) for row in rows}
    environments = robustness(designs)
    leaderboard = score_table(rows, r2, designs, duplicates)
    ratio = folds.held_out_ratio
    ranks = groups({name: scores[name] for name in names}, ratio)
    leaderboard["rank"] = leaderboard["measure"].map(ranks).astype("Int64")
    for part in (
        question_columns(questions),
        correlation_columns(correlations),
        partial_tau(designs).rename("partial_tau").rename_axis("measure").reset_index(),
        environment_columns(environments),
    ):
        leaderboard = leaderboard.merge(part, on="measure", how="left")
    references = sorted(row.name for row in rows if row.kind == REFERENCE)
    leaderboard = leaderboard[list(LEADERBOARD_COLUMNS)]
    left_out = designs.left_out
    if excess := excess_of_products(designs):
        model = {"kind": [MODEL], "name": [HYPER_PARAMETERS_PAIRWISE], "reason": [excess]}
        left_out = pd.concat([left_out, pd.DataFrame(model)], ignore_index=True)
    tests = comparisons(scores, [*names[:1], *references], names, ratio)
    return Evaluation(
        leaderboard=leaderboard,
        repeats=repeat_table(rows, r2),
        tests=tests,
        questions=questions,
        correlations=correlations,
        environments=environments,
        combination=together.combination,
        importance=together.importance,
        learning_curve=together.learning_curve,
        held_out=held_out_table(
            designs.networks,
            designs.gaps,
            {row.name: row.predictions for row in held_out_rows(rows)},
        ),
        left_out=left_out,
        best_ols=(
            ordinary_least_squares(measures[names[0]], designs.gaps)
            if names
            else "No measure is eligible for best: all are constant or underdetermined.\n"
        ),
        summary=verdict(
            leaderboard,
            tests,
            together.combination,
            left_out,
            draws=1 if designs.draws is None else len(set(designs.draws)),
            gap_of=designs.gap_of,
        ),
    )


def by_falling_score(rows: Sequence[Row], r2: Mapping[str, np.ndarray]) -> list[Row]:
    """Sort rows by falling mean R2 (repeats,) of each, ties by name."""
    return sorted(
        rows,
        key=lambda row: (-round(float(r2[row.name].mean()), TIE_DIGITS), natural_key(row.name)),
    )


def score_table(
    rows: Sequence[Row],
    r2: Mapping[str, np.ndarray],
    designs: Designs,
    duplicates: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Return the columns of a leaderboard that each row gives by itself."""
    left_out = len(designs.left_out_networks())
    table, reliable = [], reliability(designs)
    for row in rows:
        table.append(
            {
                "measure": row.name,
                "family": row.family,
                "kind": row.kind,
                "components": row.components,
                "duplicates": " ".join(duplicates.get(row.name, ())),
                "transform": row.transform,
                "underdetermined": row.underdetermined,
                "eligible": row.eligible,
                "r2_mean": r2[row.name].mean(),
                "r2_std": r2[row.name].std(ddof=1),
                "r2_new_draw": (
                    np.nan
                    if designs.draws is None
                    else pooled_r2(row.predictions, designs.gaps).mean()
                ),
                "increment_additive": row.increment_additive,
                "increment_pairwise": row.increment_pairwise,
                "reliability": reliable.get(row.name, np.nan),
                "width_90": interval_width(row.predictions, designs.gaps),
                "mean_error": np.abs(row.predictions - designs.gaps).mean(),
                "networks": len(designs.gaps),
                "left_out": left_out,
            }
        )
    return pd.DataFrame(table)


def combination_rows(together: Combination) -> list[Row]:
    """Return the rows of the combinations of measures."""
    counts = together.combination.set_index("name")["measures"]
    return [
        Row(name, COMBINATION, COMBINATION, int(counts[name]), predictions)
        for name, predictions in together.predictions.items()
    ]


def held_out_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose predictions of single networks are of interest, best first.

    They are the references that need no outcome of replicates, what all measures reach together,
    the best single measure chosen inside the folds, and the best measure.
    """
    best = next((row.name for row in rows if row.eligible), None)
    chosen = {MEAN, HYPER_PARAMETERS, HYPER_PARAMETERS_PAIRWISE, COMBINED, BEST_SINGLE, best}
    return [row for row in rows if row.name in chosen]


def question_columns(questions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measure with the family-wise p of each question, NaN if not asked."""
    table = questions.pivot(index="measure", columns="question", values="p_family")
    table = table.reindex(columns=list(P_COLUMNS.values()))
    return table.set_axis(list(P_COLUMNS), axis=1).reset_index()


def correlation_columns(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measure, columns ``kendall``, ``kendall_low``, ..., ``pearson_p``."""
    everywhere = correlations[correlations["stratum"] == ALL]
    columns: dict[str, object] = {"measure": everywhere["measure"].unique()}
    for statistic in STATISTICS:
        chosen = everywhere[everywhere["statistic"] == statistic]
        columns[statistic] = chosen["estimate"].to_numpy()
        for suffix in ("low", "high", "p"):
            columns[f"{statistic}_{suffix}"] = chosen[suffix].to_numpy()
    return pd.DataFrame(columns)


def environment_columns(environments: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measure: its statistics over all environments."""
    everywhere = environments[environments["hyper_parameter"] == ALL]
    return everywhere[["measure", *ENVIRONMENT_STATISTICS]]


def repeat_table(rows: Sequence[Row], r2: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per measure and repeat: measure, repeat, r2."""
    return pd.DataFrame(
        [(row.name, repeat, value) for row in rows for repeat, value in enumerate(r2[row.name])],
        columns=["measure", "repeat", "r2"],
    )
