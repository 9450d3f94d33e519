"""What Corneanu et al. claim, and whether it holds here.

Each claim is about one or more numbers that are positive where the paper is right, with one value
per seed (the mean over the other settings of that seed). A number that is missing for a
seed (no loops, so no mode) leaves the claim undecided. The paper names no sign for the correlations
of life and midlife with the gap: that claim holds where they are not 0. Of stopping, what the paper
observed is judged. The rules of :mod:`.early_stopping` are this study's, and have no claim.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from gengap.studies.claims import POSITIVE, Bound, Claim, Published
from gengap.studies.corneanu2020 import gap_law
from gengap.studies.corneanu2020.experiments.adversarial import ATTACKS, HARMLESS, AdversarialRun
from gengap.studies.corneanu2020.experiments.law import LawRun
from gengap.studies.corneanu2020.experiments.partitions import (
    GRAPHS,
    PARTITIONS,
    Moment,
    PartitionsRun,
    Summaries,
)
from gengap.studies.corneanu2020.experiments.training_curves import CAVITY, CurvesRun
from gengap.studies.estimates import (
    Estimate,
    Estimates,
    Kind,
    by_seed,
    difference,
    of_kind,
    rank_correlation,
)
from gengap.studies.outcomes import AnyRun

LEARNING = (
    "CVPR 2019: learning to generalise creates cavities of dimension 2 and 3 and moves those of "
    "dimension 1 from higher to lower densities."
)
STOPPING = (
    "CVPR 2019: the movement of the cavities tells when to stop, since they turn back when "
    "learning ends. No rule is given."
)
SCALES = {"epsilon": "epsilon (the published code's default)", "density": "the share of edges"}
README_FIGURE = "README of the authors' repository, LeNet on MNIST, read off"
MODE_FALLS = Published(
    "mode of beta_1 at epsilon 0.23 at the start, 0.15 after 50 epochs",
    README_FIGURE,
    comparable=False,
)
CAVITIES_GROW = Published(
    "largest beta_2 12 at the start, 60 after 50 epochs", README_FIGURE, comparable=False
)
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


def claims(runs: Mapping[str, Sequence[AnyRun]]) -> list[Claim]:
    """Return the claims of both papers, in the order of the study's experiments."""
    judged: list[Claim] = []
    for prefix, claims_of in (
        ("training_curves", _of_training),
        ("cavities", _of_cavities),
        ("partitions", _of_partitions),
        ("law", _of_the_law),
        ("adversarial", _of_the_detector),
    ):
        own = [run for name, group in runs.items() if name.startswith(prefix) for run in group]
        if own:
            judged += claims_of(own)
    return judged


def _of_training(runs: Sequence[CurvesRun]) -> list[Claim]:
    true, corrupted = _by_labels(runs)
    return [
        *(_of_learning(true) if true else []),
        *(_of_memorising(corrupted) if corrupted else []),
        *_beside_true_labels(true, corrupted),
    ]


def _of_learning(true: Sequence[CurvesRun]) -> list[Claim]:
    def growth(dimension: int) -> Estimate:
        return by_seed(
            true, lambda run: float(np.diff(run.result.summaries["count"][[0, -1], dimension])[0])
        )

    def fall(scale: str) -> Estimate:
        return Estimate([-rise for rise in _rise_of_mode(true, scale, lambda _: 0).values])

    return [
        *(
            Claim(
                f"Learning moves the mode of beta_1 to lower densities, measured in {name}",
                LEARNING,
                "With true labels, how far it lies lower at the end of training than at the start.",
                {f"fall of the mode in {scale}": fall(scale)},
                published=MODE_FALLS if scale == "epsilon" else None,
            )
            for scale, name in SCALES.items()
        ),
        *(
            Claim(
                f"Learning creates cavities of dimension {dimension}",
                LEARNING,
                "With true labels, how many more there are per node at the end than at the start.",
                {f"growth in H{dimension}": growth(dimension)},
                published=CAVITIES_GROW if dimension == CAVITY else None,
            )
            for dimension in range(CAVITY, true[0].result.dimensions)
        ),
    ]


def _of_memorising(corrupted: Sequence[CurvesRun]) -> list[Claim]:
    losses = by_seed(corrupted, lambda run: run.result.best.accuracy - run.result.last.accuracy)
    lost = losses.interval().mean
    judged = [
        Claim(
            f"Memorising moves the mode of beta_1 to higher densities, measured in {name}",
            MEMORISING,
            f"With corrupted labels, while test accuracy falls by {lost:.3g} from its best epoch "
            "to the last, how far the mode lies higher at the last.",
            {
                f"rise of the mode in {scale}": _rise_of_mode(
                    corrupted, scale, lambda run: int(np.argmax(run.result.test_accuracy))
                )
            },
        )
        for scale, name in SCALES.items()
    ]
    return [*judged, *(_turning(corrupted, scale, name) for scale, name in SCALES.items())]


def _turning(corrupted: Sequence[CurvesRun], scale: str, name: str) -> Claim:
    """The claim that the mode is low where the test accuracy is high."""

    def against(run: CurvesRun) -> float:
        # The random start is left out: whatever comes after it is better, and elsewhere.
        modes, accuracy = run.result.scales[scale].modes[1:], run.result.test_accuracy[1:]
        known = np.isfinite(modes)
        return -rank_correlation(modes[known], accuracy[known])

    return Claim(
        f"The mode of beta_1 is lowest where the test accuracy is highest, measured in {name}",
        STOPPING,
        "With corrupted labels, minus Spearman's correlation of mode and test accuracy over the "
        "checkpoints after the start.",
        {f"mode in {scale} against test accuracy": by_seed(corrupted, against, Kind.CORRELATION)},
    )


def _beside_true_labels(true: Sequence[CurvesRun], corrupted: Sequence[CurvesRun]) -> list[Claim]:
    """Claims that the mode rises because a network memorises, and not because it trains on."""
    pairs = [
        (one, other)
        for one in corrupted
        for other in true
        if one.seed == other.seed
        and dataclasses.replace(one.settings, label_corruption=0.0) == other.settings
    ]
    if not pairs:
        return []
    partners = {id(one): other for one, other in pairs}

    def excess(run: CurvesRun, scale: str) -> float:
        best = int(np.argmax(run.result.test_accuracy))
        own, other = (one.result.scales[scale].modes for one in (run, partners[id(run)]))
        return float((own[-1] - own[best]) - (other[-1] - other[best]))

    with_partners = [one for one, _ in pairs]
    return [
        Claim(
            f"The mode rises more where there is something to memorise, measured in {name}",
            MEMORISING,
            "From the best epoch with corrupted labels to the last, the rise of the mode with "
            "corrupted labels less that with true labels over the same epochs.",
            {
                f"rise of the mode in {scale}, corrupted less true labels": by_seed(
                    with_partners, partial(excess, scale=scale)
                )
            },
        )
        for scale, name in SCALES.items()
    ]


def _of_cavities(runs: Sequence[CurvesRun]) -> list[Claim]:
    """Claims on cavities of dimension 2 and 3 in graphs whose whole filtration can be computed."""
    true, corrupted = _by_labels(runs)

    def growth(run: CurvesRun, dimension: int) -> float:
        counts = run.result.summaries["count"][:, dimension]
        return float(counts[-1] - counts[0])

    def grown(group: Sequence[CurvesRun], dimension: int) -> Estimate:
        return by_seed(group, partial(growth, dimension=dimension))

    nodes, judged = runs[0].result.nodes, []
    for dimension in range(CAVITY, runs[0].result.dimensions):
        how = (
            f"Cavities per node at the end less at the start, in graphs of {nodes} nodes up to "
            f"epsilon {runs[0].settings.largest_epsilon:g}"
        )
        if true:
            judged.append(
                Claim(
                    f"Learning creates cavities of dimension {dimension}, on small graphs",
                    LEARNING,
                    f"{how}, with true labels.",
                    {f"growth in H{dimension}": grown(true, dimension)},
                )
            )
        if true and corrupted:
            kinds = {
                "true labels": grown(true, dimension),
                "corrupted": grown(corrupted, dimension),
            }
            true_growth, corrupted_growth = (kind.values for kind in kinds.values())
            apart = [one - other for one, other in zip(true_growth, corrupted_growth, strict=True)]
            name = f"growth in H{dimension}, true less corrupted labels"
            judged.append(
                Claim(
                    f"Cavities of dimension {dimension} come with generalisation, on small graphs",
                    f"{LEARNING} {MEMORISING}",
                    f"{how}, with true labels less with corrupted ones.",
                    {name: Estimate(apart)}
                    | {f"growth in H{dimension}, {kind}": grew for kind, grew in kinds.items()},
                    {name: POSITIVE},
                )
            )
    return judged


def _by_labels(runs: Sequence[CurvesRun]) -> tuple[list[CurvesRun], list[CurvesRun]]:
    """The runs with true labels, and those with corrupted ones."""
    true = [run for run in runs if not run.settings.label_corruption]
    return true, [run for run in runs if run.settings.label_corruption]


def _rise_of_mode(
    runs: Sequence[CurvesRun], scale: str, since: Callable[[CurvesRun], int]
) -> Estimate:
    """How far the mode lies higher at the end of training than at a checkpoint, by seed."""

    def rise(run: CurvesRun) -> float:
        modes = run.result.scales[scale].modes
        return float(modes[-1] - modes[since(run)])

    return by_seed(runs, rise)


def _of_partitions(runs: Sequence[PartitionsRun]) -> list[Claim]:
    judged = []
    for kind in GRAPHS:
        estimates = {}
        for partition in PARTITIONS:
            change = partial(_change_along, partition=partition, kind=kind)
            # Where a graph was over its budget, there is nothing to compare.
            compared = [run for run in runs if not math.isnan(change(run))]
            if compared:
                estimates[partition] = by_seed(compared, change)
        if estimates:
            judged.append(
                Claim(
                    f"The graph {GRAPH_NAMES[kind]} changes in training as the whole graph does",
                    "CVPR 2019: networks too large for one graph are studied by their parts.",
                    "Change of the average life in H0 from the start to the end of training, "
                    "counted as positive where it has the sign of the whole graph's.",
                    estimates,
                )
            )
    return judged


def _change_along(run: PartitionsRun, partition: str, kind: str) -> float:
    """The change of a graph's life in H0, times the sign of the whole graph's change."""
    whole = _change(run, lambda moment: moment.whole)
    return float(_change(run, lambda moment: moment.graph(partition, kind)) * np.sign(whole))


def _change(run: PartitionsRun, graph_of: Callable[[Moment], Summaries | None]) -> float:
    """The change of a graph's life in H0 in training; NaN where it could not be made."""
    start, end = graph_of(run.result.start), graph_of(run.result.end)
    return math.nan if start is None or end is None else end["life.H0"] - start["life.H0"]


def _of_the_law(runs: Sequence[LawRun]) -> list[Claim]:
    table = gap_law.networks_table(runs)
    # The paper's networks had true labels; corrupted ones are a harder test.
    zoos = {ALL: gap_law.tables_by_seed(table)}
    if 0 < (table["corruption"] == 0).sum() < len(table):
        zoos[TRUE] = gap_law.tables_by_seed(table[table["corruption"] == 0])
    correlations = {
        f"{name}, {zoo}": [float(rows[f"{name}.H1"].corr(rows["gap"])) for rows in tables]
        for zoo, tables in zoos.items()
        for name in ("life", "midlife")
    }
    sizes = " and ".join(f"{max(map(len, tables))} ({zoo})" for zoo, tables in zoos.items())
    sentence = gap_law.left_out_sentence(runs)
    omitted = f" {sentence}." if sentence else ""
    judged = [
        Claim(
            "Life and midlife are correlated with the gap, whatever the sign",
            LAW,
            f"Pearson correlations over the networks of a seed, {sizes}.{omitted}",
            of_kind(correlations, Kind.CORRELATION),
            Bound(side="apart"),
        )
    ]
    every_table = [rows for tables in zoos.values() for rows in tables]
    for left_out in gap_law.groupings(every_table):
        errors = {
            zoo: [gap_law.errors(rows, left_out) for rows in tables] for zoo, tables in zoos.items()
        }
        judged += _of_errors(errors, left_out)
    paper_zoo = TRUE if TRUE in zoos else ALL
    if "architecture" in gap_law.groupings(zoos[paper_zoo]):
        judged.append(_of_families(zoos[paper_zoo], paper_zoo))
    return judged


def _of_families(tables: Sequence[pd.DataFrame], zoo: str) -> Claim:
    """The claim on the error of the predicted test accuracy of each family of networks."""
    by_family = [gap_law.errors_by_architecture(rows) for rows in tables]
    families = [name for name in by_family[0] if all(name in own for own in by_family)]

    def of(family: str, model: str) -> list[float]:
        return [own[family][model] for own in by_family]

    law = {family: of(family, gap_law.LAW) for family in families}
    ahead: Estimates = {
        f"{family}: constant less law": Estimate(
            [
                other - own
                for own, other in zip(law[family], of(family, "constant gap"), strict=True)
            ]
        )
        for family in families
    }
    shown: Estimates = {
        f"{family}: error of the law": Estimate(values) for family, values in law.items()
    }
    return Claim(
        "In each family of networks the law predicts the test accuracy better than a constant",
        "CVPR 2020, results by network: the test accuracy of each family is estimated from its "
        "training accuracy and its topology, without a test set.",
        "Mean absolute error of the predicted test accuracy in points. Nothing is fitted to the "
        f"family, and the networks are those of a seed with {zoo}. Positive where the mean gap of "
        "the other families is further off.",
        ahead | shown,
        dict.fromkeys(ahead, POSITIVE),
    )


def _of_errors(errors: Mapping[str, Sequence[Mapping[str, float]]], left_out: str) -> list[Claim]:
    """Claims about the models' errors, by zoo, seed and model, when something is left out."""
    off = " and ".join(
        f"{np.mean([by_model[gap_law.LAW] for by_model in seeds]):.1f} ({zoo})"
        for zoo, seeds in errors.items()
    )
    return [
        Claim(
            f"The law predicts the gap of a left-out {left_out} better than {against}",
            LAW,
            f"The law is off by {off} points of accuracy on average. Measured is how much more the "
            "linear models of these are off.",
            {
                f"{model}, {zoo}": Estimate(
                    [by_model[model] - by_model[gap_law.LAW] for by_model in seeds]
                )
                for zoo, seeds in errors.items()
                for model in rivals
            },
        )
        for rivals, against in ((("constant gap",), "a constant"), (BASELINES, "simple baselines"))
    ]


def _of_the_detector(runs: Sequence[AdversarialRun]) -> list[Claim]:
    def auc(run: AdversarialRun, detector: str, attack: str, kind: str) -> float:
        return run.result.attacks[attack].detectors[detector][kind].auc

    def beyond_chance(attack: str, kind: str) -> Estimate:
        return by_seed(runs, lambda run: auc(run, "topology", attack, kind) - 0.5, Kind.DIFFERENCE)

    def beyond_confidence(attack: str, kind: str) -> Estimate:
        return difference(
            runs,
            lambda run: auc(run, "topology", attack, kind),
            lambda run: auc(run, "confidence", attack, kind),
            Kind.DIFFERENCE,
        )

    return [
        *(
            Claim(
                f"Adversarial images are told from {kind} ones by the topology of their graphs",
                DETECTOR,
                "Area under the ROC curve of the detector on test images, less the 0.5 of chance.",
                {f"{attack.upper()} AUC - 0.5": beyond_chance(attack, kind) for attack in ATTACKS},
            )
            for kind in HARMLESS
        ),
        Claim(
            "The detector is better than the network's confidence score",
            "Not compared in the paper.",
            "AUC of the detector, less that of one minus the maximum softmax probability.",
            {
                f"{attack.upper()} against {kind}": beyond_confidence(attack, kind)
                for attack in ATTACKS
                for kind in HARMLESS
            },
        ),
    ]
