"""Measure the level, the power and the seed stability of the evaluation, beside the 5x2 design.

    python benchmarks/evaluation.py                    made-up zoos
    python benchmarks/evaluation.py results/digits     and the seed stability of a task that was run

A made-up zoo has 32 grid points (five hyper-parameters of two values) and three draws of the
training data. Its gap depends on the hyper-parameters, on products of two, on the draw, on the
grid point and on the network. What is true of each measure is known, so the shares of zoos in which
a test rejects are levels and powers. The table is printed and written to
``results/benchmarks/evaluation/table.md``.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gengap import tasks
from gengap.evaluation.comparison import compare, groups, holm
from gengap.evaluation.designs import Design, Designs, hyper_parameter_design, prepare
from gengap.evaluation.duplicates import merged
from gengap.evaluation.five_by_two import cross_validate, halves, paired_t_test
from gengap.evaluation.folds import Folds, repeated_folds
from gengap.evaluation.leaderboard import REDUCED
from gengap.evaluation.questions import (
    ADDS_TO_ADDITIVE,
    ADDS_TO_PAIRWISE,
    BEATS_MEAN,
    WITHIN_ENVIRONMENTS,
    ask,
    interactions,
)
from gengap.evaluation.rank_statistics import permutation_p, weighted
from gengap.evaluation.regression import (
    fold_scores,
    least_training,
    mean_basis,
    predict_scalars,
    predict_vector,
)
from gengap.evaluation.scoring import own_folds
from gengap.files import writing

FOLDER = Path("results/benchmarks/evaluation")
LEVEL = 0.05
HOLM_OF_FIFTY = LEVEL / 50
"""What the smallest of 50 p values must not exceed."""
NULLS = 50
DRAWS = 3
SEEDS = 20
STABILITY_ZOOS = 5
LADDER = np.linspace(0.0, 0.85, 40)
"""Correlations with the gap of the measures whose ranking is repeated."""
ENVIRONMENT = "h0"
NEW, OLD = "new", "5x2"


@dataclass
class Shares:
    """Which tests rejected in which zoos, by design and by row of the table."""

    rejected: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: str, design: str, rejected: Any) -> None:
        """Note whether a test rejected, or the share of several tests."""
        self.rejected[row, design].append(float(rejected))

    def cell(self, row: str, design: str) -> str:
        """Return the share for the table, empty where the design has no such test."""
        values = self.rejected.get((row, design))
        return "" if values is None else f"{np.mean(values):.3f}"


@dataclass(frozen=True)
class Zoo:
    """A made-up zoo.

    Attributes:
        designs: gaps, grid and draws; without measures.
        codes: (networks, hyper-parameters) standardised values.
        products: (networks, pairs of hyper-parameters).
        own: (networks,) the part of the gap that is the network's own.
        points: (networks,) index of the grid point.
    """

    designs: Designs
    codes: np.ndarray
    products: np.ndarray
    own: np.ndarray
    points: np.ndarray

    def with_measures(self, measures: Mapping[str, np.ndarray]) -> Designs:
        """Return the designs with measures, each (networks,) or (networks, components)."""
        made = []
        for name, values in measures.items():
            columns = values.reshape(len(values), -1)
            names = tuple(map(str, range(columns.shape[1])))
            made.append(Design(name, "made", names, columns))
        return replace(self.designs, measures=tuple(made))


def made_up_zoo(
    rng: np.random.Generator, levels: Sequence[int] = (2, 2, 2, 2, 2), draws: int = DRAWS
) -> Zoo:
    """Make a zoo with one network for each grid point and draw of the training data.

    The gap is the sum of normal effects. Their variances are 1 for the hyper-parameters together,
    0.25 for their products, 0.1 for grid points, and 0.25 each for draws and networks.

    Returns:
        The zoo.
    """
    cells = np.array(list(itertools.product(*(range(count) for count in levels))))
    points = np.repeat(np.arange(len(cells)), draws)
    draw = np.tile(np.arange(draws), len(cells))
    codes = ((cells - cells.mean(axis=0)) / cells.std(axis=0))[points]
    pairs = list(itertools.combinations(range(len(levels)), 2))
    products = np.column_stack([codes[:, i] * codes[:, j] for i, j in pairs])
    own = 0.5 * rng.normal(size=len(points))
    gaps = (
        codes @ rng.normal(size=len(levels)) / np.sqrt(len(levels))
        + 0.5 * products @ rng.normal(size=len(pairs)) / np.sqrt(len(pairs))
        + np.sqrt(0.1) * rng.normal(size=len(cells))[points]
        + 0.5 * rng.normal(size=draws)[draw]
        + own
    )
    grid = pd.DataFrame(cells[points], columns=[f"h{i}" for i in range(len(levels))])
    designs = Designs(
        networks=tuple(map(str, range(len(points)))),
        gaps=gaps,
        grid=grid,
        training=np.ones(len(points)),
        gap_of="accuracy",
        measures=(),
        left_out=pd.DataFrame(columns=["kind", "name", "reason"]),
        draws=draw.astype(str).astype(object) if draws > 1 else None,
    )
    return Zoo(designs, codes, products, own, points)


# ---- the scores of both designs ------------------------------------------------------------------


def partitions(designs: Designs, seed: int) -> Folds:
    """Return the folds that a seed draws."""
    return repeated_folds(designs.grid, designs.draws, np.random.default_rng(seed))


def repeated_scores(designs: Designs, folds: Folds) -> dict[str, np.ndarray]:
    """Return the (repeats, folds) scores of the new design, eligible measures by falling mean."""
    mean, most = mean_basis(folds), least_training(folds)
    eligible = [d for d in designs.measures if not d.constant and not d.underdetermined(most)]
    scalars = [design for design in eligible if len(design.components) == 1]
    predictions = {}
    for design in eligible:
        if len(design.components) > 1:
            own = own_folds(design, folds)
            [alone] = predict_vector(design, designs.gaps, own, [mean.first(own.repeats)])
            predictions[design.name] = alone
    if scalars:
        values = np.column_stack([design.values for design in scalars])
        of_scalars = predict_scalars(values, designs.gaps, folds, [mean])[0][0]
        predictions |= {d.name: own for d, own in zip(scalars, of_scalars, strict=True)}
    scores = {name: fold_scores(p, designs.gaps, folds) for name, p in predictions.items()}
    return dict(sorted(scores.items(), key=lambda item: (-float(item[1].mean()), item[0])))


def halved_scores(designs: Designs, seed: int) -> dict[str, np.ndarray]:
    """Return the (5, 2) scores of the 5x2 design, eligible measures by falling mean."""
    networks = len(designs.gaps)
    first = halves(networks, np.random.default_rng(seed))
    eligible = [
        d for d in designs.measures if not d.constant and not d.underdetermined(networks // 2)
    ]
    scores = cross_validate(eligible, designs.gaps, first)
    named = {design.name: own for design, own in zip(eligible, scores, strict=True)}
    return dict(sorted(named.items(), key=lambda item: (-float(item[1].mean()), item[0])))


def first_of_repeated(scores: Mapping[str, np.ndarray], ratio: float) -> frozenset[str]:
    """Return the first group of the new design, from the ratio of networks held out."""
    return frozenset(name for name, group in groups(scores, ratio).items() if group == 1)


def first_of_halved(scores: Mapping[str, np.ndarray], _ratio: float) -> frozenset[str]:
    """Return the measures that 5x2 tests, with Holm's correction, do not find worse than the best.

    Returns:
        Their names, the best one among them.
    """
    best, *others = scores
    tests = np.array([paired_t_test(scores[name], scores[best]) for name in others])
    worse = (holm(tests[:, 1]) <= LEVEL) & (tests[:, 0] < 0)
    same = [name for name, out in zip(others, worse, strict=True) if not out]
    return frozenset([best, *same])


# ---- level and power -----------------------------------------------------------------------------


def ask_zoo(zoo: Zoo, rng: np.random.Generator, shares: Shares) -> None:
    """Ask the questions of null measures, detectors and a good measure of one zoo."""
    networks = len(zoo.own)
    measures = {f"null {i}": rng.normal(size=networks) for i in range(NULLS // 2)}
    measures |= {
        f"null of points {i}": rng.normal(size=networks)[zoo.points]
        + 0.3 * rng.normal(size=networks)
        for i in range(NULLS // 2)
    }
    nulls = list(measures)
    for index, code in enumerate(zoo.codes.T):
        measures[f"detector {index}"] = code + 0.3 * rng.normal(size=networks)
    measures["product"] = zoo.products[:, 0] + 0.3 * rng.normal(size=networks)
    measures["good"] = zoo.own + 0.5 * rng.normal(size=networks)
    designs = zoo.with_measures(measures)
    table = ask(designs, environments=[ENVIRONMENT], permutations=500, rng=rng)
    p: Any = table.pivot(index="measure", columns="question", values="p")
    family: Any = table.pivot(index="measure", columns="question", values="p_family")
    detectors = [name for name in measures if name.startswith("detector")]
    for question in (BEATS_MEAN, ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE, WITHIN_ENVIRONMENTS):
        shares.add(f"null {question}", NEW, p.loc[nulls, question].le(LEVEL).mean())
        true = nulls + detectors * question.startswith("adds")
        shares.add(f"any {question}", NEW, family.loc[true, question].le(LEVEL).any())
        shares.add(f"good {question}", NEW, family.loc["good", question] <= LEVEL)
    for question in (ADDS_TO_ADDITIVE, ADDS_TO_PAIRWISE):
        shares.add(f"detector {question}", NEW, p.loc[detectors, question].le(LEVEL).mean())
    shares.add("detector within", NEW, p.loc["detector 0", WITHIN_ENVIRONMENTS] <= LEVEL)
    shares.add("product", NEW, p.loc["product", ADDS_TO_PAIRWISE] <= LEVEL)
    halve_zoo(designs, nulls, detectors, rng, shares)


def halve_zoo(
    designs: Designs,
    nulls: Sequence[str],
    detectors: Sequence[str],
    rng: np.random.Generator,
    shares: Shares,
) -> None:
    """Test the same measures as the 5x2 design did: against the mean and the hyper-parameters."""
    first = halves(len(designs.gaps), rng)
    measures = {design.name: design.values for design in designs.measures}
    known = hyper_parameter_design(designs.grid).values
    rows = {"mean": known[:, :0], "known": known, **measures}
    rows |= {f"known, {name}": np.hstack([known, measures[name]]) for name in measures}
    made = [
        Design(name, "made", tuple(map(str, range(values.shape[1]))), values)
        for name, values in rows.items()
    ]
    scores = dict(zip(rows, cross_validate(made, designs.gaps, first), strict=True))
    p = {name: paired_t_test(scores[name], scores["mean"])[1] for name in measures}
    adds = {name: paired_t_test(scores[f"known, {name}"], scores["known"])[1] for name in measures}
    for question, tested in ((BEATS_MEAN, p), (ADDS_TO_ADDITIVE, adds)):
        of_nulls = np.array([tested[name] for name in nulls])
        shares.add(f"null {question}", OLD, np.mean(of_nulls <= LEVEL))
        true = [*nulls, *detectors] if question == ADDS_TO_ADDITIVE else nulls
        corrected = holm(np.array([tested[name] for name in true]))
        shares.add(f"any {question}", OLD, corrected.min() <= LEVEL)
        corrected = holm(np.array(list(tested.values())))
        good = corrected[list(tested).index("good")] <= LEVEL
        better = scores["good"].mean() > scores["mean"].mean()
        shares.add(f"good {question}", OLD, good and better)
    of_detectors = np.array([adds[name] for name in detectors])
    shares.add(f"detector {ADDS_TO_ADDITIVE}", OLD, np.mean(of_detectors <= LEVEL))
    orders = np.argsort(rng.random((500, len(designs.gaps))), axis=1)
    detector = measures["detector 0"].T
    observed = weighted(detector, designs.gaps, np.ones((1, len(designs.gaps))))[0]
    kendall = permutation_p(detector, designs.gaps, orders, observed)[0][0, 0]
    shares.add("detector within", OLD, kendall <= LEVEL)


def compare_pairs(zoo: Zoo, rng: np.random.Generator, shares: Shares) -> None:
    """Compare equally good measures, and a better one with a worse one."""
    gaps = zoo.designs.gaps
    scaled = (gaps - gaps.mean()) / gaps.std()
    correlations = {"a": 0.8, "b": 0.8, "better": 0.95, "worse": 0.7}
    measures = {
        name: r * scaled + np.sqrt(1 - r**2) * rng.normal(size=len(gaps))
        for name, r in correlations.items()
    }
    designs = zoo.with_measures(measures)
    seed = int(rng.integers(2**31))
    folds = partitions(designs, seed)
    repeated, halved = repeated_scores(designs, folds), halved_scores(designs, seed)
    ratio = folds.held_out_ratio
    tests: dict[str, Callable[[str, str], float]] = {
        NEW: lambda first, second: float(compare(repeated[first], repeated[second], ratio).p),
        OLD: lambda first, second: paired_t_test(halved[first], halved[second])[1],
    }
    for design, test in tests.items():
        shares.add("equal", design, test("a", "b") <= LEVEL)
        shares.add("better", design, test("better", "worse") <= LEVEL)
        shares.add("better, corrected", design, test("better", "worse") <= HOLM_OF_FIFTY)


def ask_saturated(zoo: Zoo, rng: np.random.Generator, shares: Shares) -> None:
    """Ask in a zoo that has as many products of hyper-parameters as networks, so that ridge is."""
    networks = len(zoo.own)
    products = interactions(zoo.designs.grid)
    anything = products @ rng.normal(size=products.shape[1])
    noise = {name: rng.normal(size=networks) for name in ("null", "random products", "product")}
    measures = {
        "null": noise["null"],
        "random products": anything / anything.std() + 0.3 * noise["random products"],
        "product": zoo.products[:, 0] + 0.3 * noise["product"],
    }
    table: Any = ask(
        zoo.with_measures(measures), environments=[ENVIRONMENT], permutations=500, rng=rng
    ).pivot(index="measure", columns="question", values="p")
    for name in measures:
        shares.add(f"ridge {name}", NEW, table.loc[name, ADDS_TO_PAIRWISE] <= LEVEL)


# ---- seed stability ------------------------------------------------------------------------------


def ladder(zoo: Zoo, rng: np.random.Generator) -> Designs:
    """Return measures of growing correlation with the gap, whose noise they share in part."""
    gaps = zoo.designs.gaps
    scaled = (gaps - gaps.mean()) / gaps.std()
    shared = rng.normal(size=len(gaps))
    return zoo.with_measures(
        {
            f"r = {r:.2f}": r * scaled
            + np.sqrt((1 - r**2) / 2) * (shared + rng.normal(size=len(gaps)))
            for r in LADDER
        }
    )


def stability(designs: Designs) -> dict[str, tuple[int, float, float]]:
    """Repeat the ranking with other seeds of the partitions.

    Returns:
        For each design: in how many of ``SEEDS`` the most frequent best row is best, the mean
        Jaccard index of two first groups, and the mean size of the first group.
    """
    results, seeds = {}, range(SEEDS)
    drawn = [partitions(designs, seed) for seed in seeds]
    # No partition changes the ratio of networks held out to networks fitted.
    ratio = drawn[0].held_out_ratio
    for design, scores, first_of in (
        (NEW, [repeated_scores(designs, folds) for folds in drawn], first_of_repeated),
        (OLD, [halved_scores(designs, seed) for seed in seeds], first_of_halved),
    ):
        best = Counter(next(iter(own)) for own in scores)
        firsts = [first_of(own, ratio) for own in scores]
        jaccard = [len(a & b) / len(a | b) for a, b in itertools.combinations(firsts, 2)]
        results[design] = (
            best.most_common(1)[0][1],
            float(np.mean(jaccard)),
            float(np.mean([len(first) for first in firsts])),
        )
    return results


def stability_rows(name: str, results: Sequence[dict[str, tuple[int, float, float]]]) -> list[str]:
    """Return the table's rows of seed stability, means over zoos."""
    labels = (
        f"{name}: seeds of {SEEDS} with the same best row",
        f"{name}: Jaccard index of first groups",
        f"{name}: rows in the first group",
    )
    rows = []
    for index, (label, aim) in enumerate(zip(labels, ("≥ 18", "≥ 0.9", ""), strict=True)):
        new, old = (np.mean([result[design][index] for result in results]) for design in (NEW, OLD))
        rows.append(f"| {label} | {aim} | {new:.2f} | {old:.2f} |")
    return rows


def designs_of_task(folder: Path) -> Designs:
    """Return the designs of a task that was run, as its leaderboard compares them."""
    task = tasks.load(folder)
    designs = prepare(
        pd.read_csv(folder / "measures.csv", dtype={"network": str, "component": str}),
        task.gaps(),
        task.hyper_parameters(),
        task.training_outcomes(),
        REDUCED,
        task.gap_of,
        draws=task.data_draws(),
        leave_out=task.unfit(),
    )
    return merged(designs)[0]


# ---- the table -----------------------------------------------------------------------------------

ROWS = (
    (f"null {BEATS_MEAN}", "null measure against the mean gap", "0.05"),
    (f"null {ADDS_TO_ADDITIVE}", "null measure beside additive hyper-parameters", "0.05"),
    (f"null {ADDS_TO_PAIRWISE}", "null measure beside products, too", "0.05"),
    (f"null {WITHIN_ENVIRONMENTS}", "null measure within environments", "0.05"),
    (f"detector {ADDS_TO_ADDITIVE}", "hyper-parameter plus noise, beside all of them", "0.05"),
    (f"detector {ADDS_TO_PAIRWISE}", "hyper-parameter plus noise, beside products, too", "0.05"),
    (
        "detector within",
        "hyper-parameter plus noise, within its values (5x2: correlation of all networks)",
        "0.05",
    ),
    ("product", "product of two hyper-parameters plus noise, beside products", "0.05"),
    ("ridge null", "ridge: null measure beside products", "0.05"),
    ("ridge random products", "ridge: random combination of products plus noise", "0.05"),
    ("ridge product", "ridge: the gap's own product plus noise", "not kept"),
    ("equal", "two equally good measures (r = .8)", "0.05"),
    (f"any {BEATS_MEAN}", "any of 50 null measures against the mean, family-wise", "0.05"),
    (f"any {ADDS_TO_ADDITIVE}", "any of 55 beside additive hyper-parameters, family-wise", "0.05"),
    (f"any {ADDS_TO_PAIRWISE}", "any of 55 beside products, too, family-wise", "0.05"),
    (f"any {WITHIN_ENVIRONMENTS}", "any of 50 within environments, family-wise", "0.05"),
    ("better", "r = .95 against r = .7", "1"),
    ("better, corrected", "r = .95 against r = .7 at p = .001", "1"),
    (f"good {BEATS_MEAN}", "good measure against the mean, family-wise", "1"),
    (f"good {ADDS_TO_ADDITIVE}", "good measure beside additive hyper-parameters, family-wise", "1"),
    (f"good {ADDS_TO_PAIRWISE}", "good measure beside products, too, family-wise", "1"),
    (f"good {WITHIN_ENVIRONMENTS}", "good measure within environments, family-wise", "1"),
)
"""Keys of the shares, what they are of, and what they should be."""


def table_of(shares: Shares, stable: Sequence[str]) -> str:
    """Return the Markdown table."""
    lines = ["| share of zoos that reject | aim | new design | 5x2 design |", "|---|---|---|---|"]
    lines += [
        f"| {label} | {aim} | {shares.cell(row, NEW)} | {shares.cell(row, OLD)} |"
        for row, label, aim in ROWS
    ]
    return "\n".join([*lines, *stable]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of a task that was run")
    parser.add_argument("--zoos", type=int, default=100, help="number of made-up zoos")
    arguments = parser.parse_args()
    shares = Shares()
    for seed in range(arguments.zoos):
        rng = np.random.default_rng(seed)
        zoo = made_up_zoo(rng)
        ask_zoo(zoo, rng, shares)
        compare_pairs(zoo, np.random.default_rng([seed, 2]), shares)
        rng = np.random.default_rng([seed, 3])
        ask_saturated(made_up_zoo(rng, levels=(5, 5), draws=1), rng, shares)
    rngs = [np.random.default_rng([seed, 1]) for seed in range(STABILITY_ZOOS)]
    stable = stability_rows(
        "made-up zoos", [stability(ladder(made_up_zoo(rng), rng)) for rng in rngs]
    )
    if arguments.folder is not None:
        designs = designs_of_task(arguments.folder)
        stable += stability_rows(arguments.folder.name, [stability(designs)])
    table = table_of(shares, stable)
    with writing(FOLDER / "table.md") as part:
        part.write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
