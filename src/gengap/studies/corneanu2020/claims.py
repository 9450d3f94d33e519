"""What Corneanu et al. claim, and whether it holds here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from gengap.studies import Claim, Run, all_hold, exceeds, format_interval, interval
from gengap.studies.corneanu2020 import gap_law
from gengap.studies.corneanu2020.experiments.adversarial import ATTACKS, HARMLESS
from gengap.studies.corneanu2020.experiments.law import networks_table
from gengap.studies.corneanu2020.experiments.partitions import GRAPHS, PARTITIONS
from gengap.studies.corneanu2020.experiments.training_curves import modes, summary

Estimates = dict[str, list[float]]

LEARNING = (
    "CVPR 2019: learning to generalise creates cavities of dimension 2 and 3 and moves those of "
    "dimension 1 from higher to lower densities."
)
STOPPING = (
    "CVPR 2019: the movement of the cavities tells when to stop (no rule is given; a regression is "
    "a step of the mode of beta_1 to higher densities while cavities of dimension 2 and 3 do not "
    "grow in number)."
)
SCALES = {"epsilon": "epsilon (the published code's default)", "density": "the share of edges"}
MEMORISING = "CVPR 2019: memorising returns the cavities to higher densities."
LAW = "CVPR 2020: the gap is a + b life + c midlife, whatever the network and the dataset."
DETECTOR = (
    "CVPR 2019: the topology of the graph of one input tells adversarial images from clean and "
    "from noisy ones."
)
GRAPH_NAMES = {
    "parts": "of the parts of a network",
    "means": "of the parts' mean activations",
    "kl": "of KL divergences between parts",
    "js": "of JS divergences between parts",
}
ALL, TRUE = "all networks", "true labels"
BASELINES = tuple(name for name in gap_law.MODELS if name not in (gap_law.LAW, "constant gap"))
TOLERANCE = 0.02
"""Of test accuracy: what stopping may cost, with nothing to memorise or against the best epoch."""


def claims(runs: Mapping[str, Sequence[Run]]) -> list[Claim]:
    """The claims of both papers, in the order of the study's experiments.

    Each is about one or more numbers that are positive where the paper is right, with one value per
    seed (the mean over the other settings of that seed). It agrees if the 95% intervals of all its
    numbers lie above 0, disagrees if one lies below 0, and is undecided otherwise. Those
    about stopping with true labels and against the best epoch allow for a loss of 0.02: their
    numbers are compared with -0.02. A number that is not there for a seed (no loops, so no mode)
    leaves the claim undecided. Of the correlations of life and midlife with the gap the paper names
    no sign: that claim agrees if none of their intervals includes 0, whichever side they lie on,
    and is undecided otherwise.

    Experiments are known by how their names begin: ``training_curves``, ``partitions``, ``law``
    and ``adversarial``; what was not run makes no claims.
    """
    found: list[Claim] = []
    for prefix, evaluate_claims in (
        ("training_curves", _of_training),
        ("partitions", _of_partitions),
        ("law", _of_the_law),
        ("adversarial", _of_the_detector),
    ):
        some = [run for name, rows in runs.items() if name.startswith(prefix) for run in rows]
        if some:
            found += evaluate_claims(some)
    return found


def verdict(estimates: Mapping[str, Sequence[float]], at_least: float = 0.0) -> bool | None:
    """Whether all means are above a bound, by their 95% intervals."""
    return all_hold(*(exceeds(values, at_least) for values in estimates.values()))


def _claim(
    title: str, paper: str, measured: str, estimates: Estimates, at_least: float = 0.0
) -> Claim:
    """A claim whose sentence is followed by its numbers."""
    parts = [f"{name} {format_interval(values)}" for name, values in estimates.items()]
    seeds = len(next(iter(estimates.values())))
    sentence = f"{measured} (mean and 95% interval over {seeds} seeds): {'; '.join(parts)}."
    return Claim(title, paper, sentence, verdict(estimates, at_least), estimates)


def _per_seed(runs: Sequence[Run], value: Callable[[Run], float]) -> list[float]:
    """Of each seed, the mean of a number over its runs."""
    seeds = sorted({run.seed for run in runs})
    return [float(np.mean([value(run) for run in runs if run.seed == seed])) for seed in seeds]


def _of_training(runs: Sequence[Run]) -> list[Claim]:
    true = [run for run in runs if not run.settings.get("label_corruption")]
    corrupted = [run for run in runs if run.settings.get("label_corruption")]
    found = _of_learning(true) if true else []
    return found + (_of_memorising(corrupted) if corrupted else [])


def _of_learning(true: Sequence[Run]) -> list[Claim]:
    def grown(dimension: int) -> Callable[[Run], float]:
        return lambda run: float(np.diff(summary(run, "count", dimension)[[0, -1]])[0])

    def fallen(scale: str) -> Callable[[Run], float]:
        return lambda run: -_move_of_mode(run, scale, 0)

    found = [
        _claim(
            f"Learning moves the mode of beta_1 to lower densities, measured in {SCALES[scale]}",
            LEARNING,
            "With true labels, how far it lies lower at the end of training than at the start",
            {f"fall of the mode in {scale}": _per_seed(true, fallen(scale))},
        )
        for scale in SCALES
    ]
    dimensions = true[0].outcome.arrays["curves"].shape[1]
    found += [
        _claim(
            f"Learning creates cavities of dimension {dimension}",
            LEARNING,
            "With true labels, how many more there are per node at the end than at the start",
            {f"growth in H{dimension}": _per_seed(true, grown(dimension))},
        )
        for dimension in range(2, dimensions)
    ]
    return [
        *found,
        _claim(
            "Stopping at the first regression costs nothing where there is nothing to memorise",
            STOPPING,
            "With true labels, test accuracy where the first regression of the mode stops, less "
            f"that at the end of training; a loss of up to {TOLERANCE} is allowed",
            {f"gain in {scale}": _per_seed(true, _gain("stop", scale)) for scale in SCALES},
            -TOLERANCE,
        ),
    ]


def _of_memorising(corrupted: Sequence[Run]) -> list[Claim]:
    def loss(run: Run) -> float:
        return run.outcome.values["best_accuracy"] - run.outcome.values["last_accuracy"]

    def risen(scale: str) -> Callable[[Run], float]:
        return lambda run: _move_of_mode(
            run, scale, int(np.argmax(run.outcome.arrays["test_accuracy"]))
        )

    lost = interval(_per_seed(corrupted, loss))[0]
    found = [
        _claim(
            f"Memorising moves the mode of beta_1 to higher densities, measured in {SCALES[scale]}",
            MEMORISING,
            f"With corrupted labels, while test accuracy falls by {lost:.3g} from its best epoch "
            "to the last, how far the mode lies higher at the last",
            {f"rise of the mode in {scale}": _per_seed(corrupted, risen(scale))},
        )
        for scale in SCALES
    ]
    for rule, title in (
        ("stop", "Stopping at the first regression"),
        ("lowest", "The epoch with the lowest mode, in hindsight,"),
    ):
        found += [
            _claim(
                f"{title} is better than training to the end on corrupted labels",
                STOPPING,
                "Test accuracy there, less that at the end of training, by the scale of the mode",
                {f"gain in {scale}": _per_seed(corrupted, _gain(rule, scale)) for scale in SCALES},
            ),
            _claim(
                f"{title} is as good as the epoch with the best test accuracy on corrupted labels",
                STOPPING,
                "Test accuracy there, less that at the best of the checkpoints, by the scale of "
                f"the mode; a loss of up to {TOLERANCE} is allowed",
                {
                    f"gain in {scale}": _per_seed(corrupted, _gain(rule, scale, "best"))
                    for scale in SCALES
                },
                -TOLERANCE,
            ),
        ]
    return found


def _move_of_mode(run: Run, scale: str, since: int) -> float:
    places = modes(run.outcome.arrays, scale)
    return float(places[-1] - places[since])


def _gain(rule: str, scale: str, over: str = "last") -> Callable[[Run], float]:
    return lambda run: (
        run.outcome.values[f"{rule}_accuracy.{scale}"] - run.outcome.values[f"{over}_accuracy"]
    )


def _of_partitions(runs: Sequence[Run]) -> list[Claim]:
    def change(run: Run, graph: str) -> float:
        values = run.outcome.values
        return values[f"{graph}.end.life.H0"] - values[f"{graph}.start.life.H0"]

    def along(graph: str) -> Callable[[Run], float]:
        return lambda run: float(change(run, graph) * np.sign(change(run, "whole")))

    # Where the whole graph was over its budget, there is nothing to compare with.
    runs = _with_graph(runs, "whole")
    if not runs:
        return []
    return [
        _claim(
            f"The graph {GRAPH_NAMES[kind]} changes in training as the whole graph does",
            "CVPR 2019: networks too large for one graph are studied by their parts.",
            "Change of the average life in H0 from the start to the end of training, counted as "
            "positive where it has the sign of the whole graph's",
            {
                partition: _per_seed(having, along(f"{partition}.{kind}"))
                for partition in PARTITIONS
                for having in [_with_graph(runs, f"{partition}.{kind}")]
                if having
            },
        )
        for kind in GRAPHS
    ]


def _with_graph(runs: Sequence[Run], graph: str) -> list[Run]:
    """Runs in which a graph could be made both at the start and at the end."""
    keys = {f"{graph}.{moment}.life.H0" for moment in ("start", "end")}
    return [run for run in runs if keys <= set(run.outcome.values)]


def _of_the_law(runs: Sequence[Run]) -> list[Claim]:
    table = networks_table(runs)
    # The paper's networks had true labels; corrupted ones are a harder test.
    zoos = {ALL: _by_seed(table)}
    if 0 < (table["corruption"] == 0).sum() < len(table):
        zoos[TRUE] = _by_seed(table[table["corruption"] == 0])
    correlations = {
        f"{name}, {zoo}": [float(rows[f"{name}.H1"].corr(rows["gap"])) for rows in tables]
        for zoo, tables in zoos.items()
        for name in ("life", "midlife")
    }
    sizes = " and ".join(f"{len(tables[0])} ({zoo})" for zoo, tables in zoos.items())
    found = [
        Claim(
            "Life and midlife are correlated with the gap, whatever the sign",
            LAW,
            "Pearson correlations, of which no interval may include 0, on either side of it, over "
            f"the networks of a seed, {sizes}: "
            + "; ".join(
                "{} {:.2f} ({:.2f} to {:.2f})".format(name, *interval(values))
                for name, values in correlations.items()
            )
            + ".",
            _nonzero(correlations),
            correlations,
        )
    ]
    errors = {zoo: [gap_law.errors(rows) for rows in tables] for zoo, tables in zoos.items()}
    for left_out in errors[ALL][0]:
        off = " and ".join(
            f"{np.mean([one[left_out][gap_law.LAW] for one in some]):.1f} ({zoo})"
            for zoo, some in errors.items()
        )
        for rivals, against in (
            (("constant gap",), "a constant"),
            (BASELINES, "simple baselines"),
        ):
            found.append(
                _claim(
                    f"The law predicts the gap of a left-out {left_out} better than {against}",
                    LAW,
                    f"The law is off by {off} points of accuracy on average; how much more the "
                    "linear models of these are off",
                    {
                        f"{model}, {zoo}": _advantage(some, left_out, model)
                        for zoo, some in errors.items()
                        for model in rivals
                    },
                )
            )
    return found


def _by_seed(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows.reset_index(drop=True) for _, rows in table.groupby("seed")]


def _advantage(
    errors: Sequence[Mapping[str, Mapping[str, float]]], left_out: str, model: str
) -> list[float]:
    return [some[left_out][model] - some[left_out][gap_law.LAW] for some in errors]


def _nonzero(estimates: Mapping[str, Sequence[float]]) -> bool | None:
    """Two-sided: True if no interval includes 0; that a correlation is 0 cannot be shown."""
    ends = [interval(values)[1:] for values in estimates.values()]
    return True if all(low > 0 or high < 0 for low, high in ends) else None


def _of_the_detector(runs: Sequence[Run]) -> list[Claim]:
    def beyond_chance(key: str) -> Callable[[Run], float]:
        return lambda run: run.outcome.values[f"auc.topology.{key}"] - 0.5

    def beyond_doubt(key: str) -> Callable[[Run], float]:
        values = "auc.topology.", "auc.doubt."
        return lambda run: run.outcome.values[values[0] + key] - run.outcome.values[values[1] + key]

    found = [
        _claim(
            f"Adversarial images are told from {kind} ones by the topology of their graphs",
            DETECTOR,
            "Area under the ROC curve of the detector on test images, less the 0.5 of chance",
            {
                f"{attack.upper()} AUC - 0.5": _per_seed(runs, beyond_chance(f"{attack}.{kind}"))
                for attack in ATTACKS
            },
        )
        for kind in HARMLESS
    ]
    return [
        *found,
        _claim(
            "The detector is better than the network's own doubt",
            "Not compared in the paper.",
            "AUC of the detector, less that of one minus the largest probability",
            {
                f"{attack.upper()} against {kind}": _per_seed(
                    runs, beyond_doubt(f"{attack}.{kind}")
                )
                for attack in ATTACKS
                for kind in HARMLESS
            },
        ),
    ]
