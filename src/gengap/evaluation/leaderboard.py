"""The evaluation of a task: which measures predict its generalisation gap, and how surely."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.comparison import holm, paired_t_test
from gengap.evaluation.correlations import ALL, correlation_tables, strata_of
from gengap.evaluation.designs import (
    HYPER_PARAMETERS,
    MEAN,
    REFERENCE,
    Design,
    Designs,
    natural_key,
    prepare,
    reference_designs,
)
from gengap.evaluation.linear_model import ordinary_least_squares
from gengap.evaluation.rank_statistics import STATISTICS
from gengap.evaluation.regression import REPEATS, cross_validate, halves
from gengap.files import writing
from gengap.limits import LEAST_NETWORKS
from gengap.seeding import generator

REDUCED = (
    "persistence_image", "persistence_landscape", "persistence_silhouette", "heat_kernel",
    "layer_statistics", "layer_diagrams",
)  # fmt: skip
"""Measures that are sampled functions or statistics of each layer: principal components replace
their many values."""
TIE_DIGITS = 12
"""Measures whose mean R2 agree to this many digits are ranked by name."""

R2_COLUMNS = ("r2_mean", "r2_std", "r2_median", "r2_min", "r2_max", "r2_increment")
TEST_COLUMNS = ("t_vs_best", "p_vs_best", "p_vs_best_holm")
LEADERBOARD_COLUMNS = (
    "rank", "measure", "family", "kind", "components", "underdetermined", "eligible",
    *R2_COLUMNS, *TEST_COLUMNS,
    *(f"{name}{suffix}" for name in STATISTICS for suffix in ("", "_low", "_high", "_p")),
    "networks", "left_out",
)  # fmt: skip
FOLD_COLUMNS = ("measure", "repeat", "fold", "r2")
COMPARISON_COLUMNS = ("measure", "against", "t", "p", "p_holm")
TYPES: Any = {"rank": "Int64", "name": str, "stratum": str, "measure": str, "family": str}


@dataclass(frozen=True)
class Evaluation:
    """The tables of one task.

    Attributes:
        leaderboard: rank, measure, family, kind (scalar, vector, reference), components,
            underdetermined, eligible, r2_mean, r2_std (n - 1), r2_median, r2_min, r2_max,
            r2_increment, t_vs_best, p_vs_best, p_vs_best_holm, kendall, kendall_low,
            kendall_high, kendall_p, the same for spearman and pearson, networks, left_out;
            by falling r2_mean.
        folds: measure, repeat, fold, r2.
        tests: measure, against, t, p, p_holm: Dietterich's test against the best measure and each
            reference row; t < 0 where the measure scored lower in the first fold.
        correlations: measure, statistic, stratum, estimate, low, high, p, p_family, networks.
        strata: stratum, then the leaderboard's columns.
        left_out: what is not compared: kind (network or measure), name, reason.
        best_ols: statsmodels' summary of the best measure.
    """

    leaderboard: pd.DataFrame
    folds: pd.DataFrame
    tests: pd.DataFrame
    correlations: pd.DataFrame
    strata: pd.DataFrame
    left_out: pd.DataFrame
    best_ols: str

    def write(self, folder: str | Path) -> None:
        """Write each table to ``<folder>/<name>.csv`` and the summary to ``best_ols.txt``."""
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
        names = [field.name for field in fields(cls) if field.name != "best_ols"]
        paths = {name: Path(folder) / f"{name}.csv" for name in names}
        summary = Path(folder) / "best_ols.txt"
        for path in (*paths.values(), summary):
            if not path.is_file():
                raise GengapError(f"{path} is missing: run the evaluation of this task again.")
        try:
            tables = {name: pd.read_csv(path, dtype=TYPES) for name, path in paths.items()}
            return cls(**tables, best_ols=summary.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise GengapError(
                f"A file in {folder} cannot be read ({str(error).partition(chr(10))[0]}): run the "
                "evaluation of this task again."
            ) from error


@dataclass(frozen=True)
class Draws:
    """How random numbers are drawn: counts, and the seed of the streams."""

    seed: int
    resamples: int
    permutations: int

    def generator(self, purpose: str, stratum: str) -> np.random.Generator:
        """Return a separate random stream for each purpose and stratum."""
        return generator(self.seed, "evaluation", purpose, stratum)


def evaluate(
    measures: pd.DataFrame,
    gaps: pd.Series,
    grid: pd.DataFrame,
    *,
    training_accuracy: pd.Series,
    correlate_within: str | None = None,
    rank_within: str | None = None,
    reduce: Collection[str] = REDUCED,
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
    gap_of: str = "accuracy",
) -> Evaluation:
    """Evaluate how well each measure predicts the gap over the networks of one task.

    Each measure's components are regressed on by ordinary least squares with an intercept
    (``regression.held_out_r2``) under 5x2 cross-validation whose seeded halvings all measures
    share. A measure with more coefficients than training networks is ``underdetermined``: it is
    scored by the solution of minimum norm, but cannot be best. Neither can a constant one. Three
    reference rows are scored in the same way: predicting the mean, hyper-parameters alone, training
    accuracy (or loss, or error) alone. ``r2_increment`` is the mean over folds of R2 of
    hyper-parameters and measure together less R2 of the hyper-parameters alone, or NaN where both
    together have more coefficients than training networks. A task without hyper-parameters has no
    row of them, and increments are over predicting the mean.

    Each row is compared with the best measure and with each reference by Dietterich's test on the
    R2 of the folds; Holm's correction is over all rows that are compared with the same one. The
    best measure against itself has t = 0 and p = 1. It is favoured, since it was chosen on the same
    folds, so a large p against it means "not shown to be worse".

    Scalar measures also have Kendall's tau-b, Spearman's rho and Pearson's r with bootstrap
    intervals and permutation p values (``rank_statistics.correlate``).

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
        correlate_within: hyper-parameter within whose values the correlations are given again.
        rank_within: hyper-parameter within whose values the whole ranking is given again. A value
            with fewer than ``LEAST_NETWORKS`` networks, or with equal gaps, has correlations but no
            R2 or rank.
        reduce: prefixes of the names of measures that are replaced, inside each fold, by
            principal components (``regression.principal_components``).
        resamples: bootstrap resamples of the networks.
        permutations: permutations of the gaps.
        seed: seed of the halvings, the bootstrap and the permutations.
        gap_of: what the gaps are of, one of :data:`gengap.names.GAPS`.

    Returns:
        The ranking, and the tables that it is based on.

    Raises:
        GengapError: the tables contradict each other, a hyper-parameter is unknown, there are too
            few networks, or all gaps are equal.
    """
    for name in (correlate_within, rank_within):
        if name is not None and name not in grid.columns:
            raise GengapError(
                f"Unknown hyper-parameter {name!r} to stratify by: choose one of "
                f"{', '.join(map(str, grid.columns)) or 'none, since the task has none'}."
            )
    for label, count in (("resamples", resamples), ("permutations", permutations)):
        if not isinstance(count, int | np.integer) or count < 1:
            raise GengapError(f"{label} is {count!r}: give a whole number of at least 1.")
    designs = prepare(measures, gaps, grid, training_accuracy, reduce, gap_of)
    require_enough(designs)
    draws = Draws(seed, resamples, permutations)
    return tables(designs, grid, draws, correlate_within=correlate_within, rank_within=rank_within)


def require_enough(designs: Designs) -> None:
    """Refuse networks that cross-validation cannot work with.

    Raises:
        GengapError: there are too few networks, or all gaps are equal.
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


def tables(
    designs: Designs,
    grid: pd.DataFrame,
    draws: Draws,
    *,
    correlate_within: str | None,
    rank_within: str | None,
) -> Evaluation:
    """Make all tables of an evaluation from checked input."""
    everyone = np.ones(len(designs.networks), dtype=bool)
    correlations = correlation_tables(
        designs,
        (correlate_within, rank_within),
        resamples=draws.resamples,
        permutations=draws.permutations,
        seed=draws.seed,
    )
    left_out = len(designs.left_out_networks())
    overall = board(designs, everyone, ALL, draws, correlations, left_out=left_out)
    leaderboards = []
    unused = grid.loc[grid.index.astype(str).isin(designs.left_out_networks())]
    dropped = {label: int(rows.sum()) for label, rows in strata_of(unused, rank_within)}
    for label, rows in strata_of(designs.grid, rank_within):
        within_stratum = board(
            designs, rows, label, draws, correlations, left_out=dropped.get(label, 0)
        )
        within_stratum.leaderboard.insert(0, "stratum", label)
        leaderboards.append(within_stratum.leaderboard)
    columns = ["stratum", *LEADERBOARD_COLUMNS]
    winner = best_of(overall.leaderboard)
    by_name = {design.name: design for design in designs.measures}
    return Evaluation(
        leaderboard=overall.leaderboard,
        folds=overall.folds,
        tests=overall.tests,
        correlations=correlations,
        strata=(
            pd.concat(leaderboards, ignore_index=True)
            if leaderboards
            else pd.DataFrame(columns=columns)
        ),
        left_out=designs.left_out,
        best_ols=(
            "No measure is eligible for best: all are constant or underdetermined.\n"
            if winner is None
            else ordinary_least_squares(by_name[winner], designs.gaps)
        ),
    )


def best_of(leaderboard: pd.DataFrame) -> str | None:
    """Return the eligible measure with the largest mean R2, if any."""
    eligible = leaderboard.loc[leaderboard["eligible"], "measure"]
    return None if eligible.empty else str(eligible.iloc[0])


def rows_of(designs: Designs, chosen: np.ndarray) -> list[Design]:
    """Return measures and reference rows for some of the networks."""
    references = reference_designs(
        designs.grid.loc[chosen], designs.training[chosen], designs.gap_of
    )
    return [*(design.rows(chosen) for design in designs.measures), *references]


@dataclass(frozen=True)
class Scores:
    """Held-out R2 of the rows of a leaderboard; NaN where networks do not suffice.

    Attributes:
        r2: (rows, 5, 2), by repeat and fold.
        increments: (rows,) what each adds to the hyper-parameters, mean over folds.
    """

    r2: np.ndarray
    increments: np.ndarray


@dataclass(frozen=True)
class Board:
    """The ranking over some of the networks: three tables of :class:`Evaluation`."""

    leaderboard: pd.DataFrame
    folds: pd.DataFrame
    tests: pd.DataFrame


def board(
    designs: Designs,
    chosen: np.ndarray,
    stratum: str,
    draws: Draws,
    correlations: pd.DataFrame,
    *,
    left_out: int,
) -> Board:
    """Rank all measures and reference rows over some of the networks.

    Args:
        designs: the measures of a task.
        chosen: (networks,) bool, the networks to rank over.
        stratum: label of these networks, which names the random streams too.
        draws: how random numbers are drawn.
        correlations: of all strata.
        left_out: how many networks of the stratum are not compared.

    Returns:
        The tables. With fewer than ``LEAST_NETWORKS`` networks, or equal gaps, there are only
        correlations: R2 and rank are missing and no test is made.
    """
    rows, gaps = rows_of(designs, chosen), designs.gaps[chosen]
    scored = len(gaps) >= LEAST_NETWORKS and np.ptp(gaps) > 0
    scores = score(rows, gaps, draws.generator("halves", stratum)) if scored else unscored(rows)
    table = summarise_scores(rows, scores, len(gaps))
    table["networks"], table["left_out"] = len(gaps), left_out
    table = table.merge(
        widened(correlations[correlations["stratum"] == stratum]), on="measure", how="left"
    )
    table, order = ranked(table, scored)
    by_name = dict(zip(table["measure"], scores.r2[order], strict=True))
    tests = pd.DataFrame(columns=list(COMPARISON_COLUMNS))
    if scored:
        tests = comparisons(by_name, best_of(table))
    leaderboard = with_tests(table, tests)[list(LEADERBOARD_COLUMNS)]
    return Board(leaderboard, fold_table(by_name), tests)


def score(rows: list[Design], gaps: np.ndarray, rng: np.random.Generator) -> Scores:
    """Score each row by cross-validation, alone and beside the hyper-parameters, if any."""
    names = [row.name for row in rows]
    base = names.index(HYPER_PARAMETERS if HYPER_PARAMETERS in names else MEAN)
    r2, together = cross_validate(rows, rows[base], gaps, halves(len(gaps), rng))
    increments = (together - r2[base]).mean(axis=(1, 2))
    # With the hyper-parameters beside it, a measure of many components leaves nothing to test.
    beside = len(rows[base].components)
    increments[[row.underdetermined(len(gaps) // 2, beside) for row in rows]] = np.nan
    increments[base] = 0.0
    return Scores(r2, increments)


def unscored(rows: list[Design]) -> Scores:
    """Return NaN for rows whose networks do not suffice for cross-validation."""
    return Scores(np.full((len(rows), REPEATS, 2), np.nan), np.full(len(rows), np.nan))


def fold_table(scores: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return one row per fold of each measure, from (5, 2) held-out R2 by name."""
    return pd.DataFrame(
        [
            (name, repeat, fold, value)
            for name, r2 in scores.items()
            for (repeat, fold), value in np.ndenumerate(r2)
        ],
        columns=list(FOLD_COLUMNS),
    )


def summarise_scores(rows: list[Design], scores: Scores, networks: int) -> pd.DataFrame:
    """Summarise each row of the leaderboard by itself, from its ten folds alone."""
    folds = scores.r2.reshape(len(rows), -1)
    underdetermined = [row.underdetermined(networks // 2) for row in rows]
    return pd.DataFrame(
        {
            "measure": [row.name for row in rows],
            "family": [row.family for row in rows],
            "kind": [row.kind for row in rows],
            "components": [len(row.components) for row in rows],
            "underdetermined": underdetermined,
            "eligible": [
                row.kind != REFERENCE and not flagged and not row.constant
                for row, flagged in zip(rows, underdetermined, strict=True)
            ],
            "r2_mean": folds.mean(axis=1),
            "r2_std": folds.std(axis=1, ddof=1),
            "r2_median": np.median(folds, axis=1),
            "r2_min": folds.min(axis=1),
            "r2_max": folds.max(axis=1),
            "r2_increment": scores.increments,
        }
    )


def widened(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measure, columns ``kendall``, ``kendall_low``, ..., ``pearson_p``."""
    columns: dict[str, object] = {"measure": correlations["measure"].unique()}
    for statistic in STATISTICS:
        chosen = correlations[correlations["statistic"] == statistic]
        columns[statistic] = chosen["estimate"].to_numpy()
        for suffix in ("low", "high", "p"):
            columns[f"{statistic}_{suffix}"] = chosen[suffix].to_numpy()
    return pd.DataFrame(columns)


def ranked(table: pd.DataFrame, scored: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Sort a table by falling mean R2, ties by name; also return the order that does it."""
    keys = [
        (-round(mean, TIE_DIGITS) if scored else 0.0, natural_key(name))
        for mean, name in zip(table["r2_mean"], table["measure"], strict=True)
    ]
    order = np.array(sorted(range(len(table)), key=lambda row: keys[row]), dtype=np.int64)
    table = table.iloc[order].reset_index(drop=True)
    ranks = range(1, len(table) + 1) if scored else [pd.NA] * len(table)
    table["rank"] = pd.array(list(ranks), dtype="Int64")
    return table, order


def comparisons(scores: Mapping[str, np.ndarray], best: str | None) -> pd.DataFrame:
    """Test every row against the best one and against each reference row, by Dietterich's test.

    Args:
        scores: (5, 2) held-out R2 of each row, best first.
        best: name of the best measure, if any.

    Returns:
        ``COMPARISON_COLUMNS``.
    """
    references = sorted(name for name in scores if name.startswith(f"{REFERENCE}."))
    tables = []
    for other in ([] if best is None else [best]) + references:
        others = [name for name in scores if name != other]
        results = np.array([paired_t_test(scores[name], scores[other]) for name in others])
        tables.append(
            pd.DataFrame(
                {
                    "measure": others,
                    "against": other,
                    "t": results[:, 0],
                    "p": results[:, 1],
                    "p_holm": holm(results[:, 1]),
                },
                columns=list(COMPARISON_COLUMNS),
            )
        )
    return pd.concat(tables, ignore_index=True)


def with_tests(table: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Add to a leaderboard the columns of the tests against its best measure."""
    best = best_of(table)
    table[list(TEST_COLUMNS)] = np.nan
    if best is None or tests.empty:
        return table
    versus = tests[tests["against"] == best].set_index("measure")
    names = table["measure"]
    for column, source, own in zip(
        TEST_COLUMNS, ("t", "p", "p_holm"), (0.0, 1.0, 1.0), strict=True
    ):
        table[column] = names.map(versus[source]).where(names != best, own)
    return table
