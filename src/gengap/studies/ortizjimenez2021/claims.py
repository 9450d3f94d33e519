"""The paper's claims against the runs.

Each claim says that a number is above 0, in every group of runs that differ by seed alone. The
groups are the parts of the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gengap.figures.labels import number
from gengap.studies.claims import POSITIVE, Claim
from gengap.studies.estimates import Estimate, Estimates, Kind, by_group, rank_correlation
from gengap.studies.ortizjimenez2021.experiments.class_tasks import ClassTasksRun
from gengap.studies.ortizjimenez2021.experiments.directions import DirectionsRun
from gengap.studies.ortizjimenez2021.experiments.eigenfunction_tasks import EigenfunctionTasksRun
from gengap.studies.ortizjimenez2021.experiments.pretrained import LEARNERS, PretrainedRun
from gengap.studies.ortizjimenez2021.experiments.training_sizes import TrainingSizesRun
from gengap.studies.ortizjimenez2021.models_compared import (
    LOSS,
    TEST_ACCURACY,
    HasCurves,
    final_accuracies,
    grouped,
)
from gengap.studies.outcomes import AnyRun, Floats, Run

NETWORK, INITIAL, TRAINED, RESCALED = (
    LEARNERS.index(name) for name in ("network", "initial", "trained", "rescaled")
)


def claims(runs: Mapping[str, Sequence[AnyRun]]) -> list[Claim]:
    """Judge the claims whose experiments were run, in the order of the experiments."""
    judged = []
    for name, experiment_runs in runs.items():
        for prefix, (variation, claims_of) in _CLAIMS.items():
            if name.startswith(prefix):
                rest = name.removeprefix(prefix).replace("_", " ")
                words = variation + (f" ({rest.strip()})" if rest else "")
                judged += claims_of(experiment_runs, words)
    return judged


def _of_eigenfunctions(runs: Sequence[EigenfunctionTasksRun], variation: str) -> list[Claim]:
    groups = grouped(runs)
    indices = ", ".join(map(str, runs[0].settings.indices))
    return [
        Claim(
            f"The linearisation ranks the eigenfunctions as the network does{variation}",
            "Linear approximations rank the learning complexity of certain tasks for networks. "
            "They do so even when the two reach very different accuracies.",
            f"Spearman correlation of the two models' test accuracies over the indices {indices}. "
            f"It is 1 for the same order.{_at_chance(groups)}",
            by_group(groups, _rank_correlation, Kind.CORRELATION),
        ),
        Claim(
            f"On eigenfunctions the linearisation beats the network{variation}",
            "Networks do not always do better than their linear approximations: on eigenfunctions "
            "of the kernel at initialisation they do worse.",
            "Test accuracy of the linearisation minus that of the network, mean over the indices.",
            by_group(groups, _lead("linear", "network"), Kind.DIFFERENCE),
        ),
        Claim(
            f"The kernel turns to the labels in training{variation}",
            "While a network is trained, the alignment of its kernel with the target rises (the "
            "paper's alignment is not normalised).",
            "Natural logarithm of the normalised alignment with the labels after training over "
            "that before, mean over the indices.",
            by_group(
                groups,
                lambda run: float(
                    np.log(run.result.alignment_after / run.result.alignment_before).mean()
                ),
            ),
        ),
    ]


def _at_chance(groups: Mapping[str, Sequence[EigenfunctionTasksRun]]) -> str:
    """A warning of the indices where the network's accuracy is not told from guessing."""
    warnings = []
    for name, runs in groups.items():
        leads = [final_accuracies(run.result, "network") - run.result.majority for run in runs]
        indices = [
            str(index)
            for index, values in zip(runs[0].settings.indices, np.array(leads).T, strict=True)
            if not POSITIVE.shown(Estimate(values.tolist()))
        ]
        warnings += [f"{', '.join(indices)} for {name}"] if indices else []
    if not warnings:
        return ""
    return (
        " At some indices the interval of the network's accuracy does not lie above the fraction "
        f"of the larger class: {'; '.join(warnings)}."
    )


def _of_classes(runs: Sequence[ClassTasksRun], variation: str) -> list[Claim]:
    groups = grouped(runs)
    return [
        Claim(
            f"On groups of classes the network beats its linearisation{variation}",
            "On CIFAR-2 (classes 0-4 of CIFAR-10 against 5-9) networks do better than their linear "
            "approximations.",
            "Test accuracy of the network minus that of its linearisation.",
            by_group(groups, _lead("network", "linear"), Kind.DIFFERENCE),
        ),
        Claim(
            f"The kernel turns to groups of classes in training{variation}",
            "While a network is trained, the alignment of its kernel with the target rises.",
            "Natural logarithm of the normalised alignment with the training labels after training "
            "over that before.",
            by_group(
                groups,
                lambda run: float(np.log(run.result.alignment_after / run.result.alignment_before)),
            ),
        ),
    ]


def _of_training_sizes(runs: Sequence[TrainingSizesRun], variation: str) -> list[Claim]:
    def lead(run: TrainingSizesRun) -> Floats:
        return final_accuracies(run.result, "network") - final_accuracies(run.result, "linear")

    def growth(run: TrainingSizesRun) -> float:
        return float(lead(run)[-1] - lead(run)[0])

    def order(run: TrainingSizesRun) -> float:
        return rank_correlation(np.asarray(run.settings.sizes, dtype=float), lead(run))

    groups, sizes = grouped(runs), runs[0].settings.sizes
    grown = by_group(groups, growth, Kind.DIFFERENCE)
    # Names of estimates are not those of the groups alone, since each group has several.
    shown: Estimates = {}
    for words, quantity, kind in (
        (f"lead at {sizes[0]}", lambda run: float(lead(run)[0]), Kind.DIFFERENCE),
        (f"lead at {sizes[-1]}", lambda run: float(lead(run)[-1]), Kind.DIFFERENCE),
        ("rank correlation of lead and size", order, Kind.CORRELATION),
    ):
        shown |= {
            f"{group}: {words}": estimate
            for group, estimate in by_group(groups, quantity, kind).items()
        }
    return [
        Claim(
            f"The network's lead on groups of classes grows with the training set{variation}",
            "Abstract: the performance gap between a network and its linear approximation heavily "
            "depends on the size of the dataset.",
            "Test accuracy of the network minus that of its linearisation, with "
            f"{sizes[-1]} training inputs less with {sizes[0]}. All sizes have the same test "
            "inputs.",
            grown | shown,
            dict.fromkeys(grown, POSITIVE),
        )
    ]


def _of_the_trained_kernel(runs: Sequence[PretrainedRun], variation: str) -> list[Claim]:
    def gain_in_loss(learner: int) -> Callable[[PretrainedRun], float]:
        def gain(run: PretrainedRun) -> float:
            losses = run.result.curves[:, :, LOSS].mean(1)
            return float(losses[INITIAL] - losses[learner])

        return gain

    groups = grouped(runs)
    growths = by_group(groups, lambda run: run.result.trace_growth)
    divisors = ", ".join(
        f"{number(float(np.exp(np.log(growth.values).mean())))} for {name}"
        for name, growth in growths.items()
    )
    scaled = (
        "the trained network's kernel, brought to the initial trace",
        f" It is divided by {divisors} (geometric means).",
    )
    learns = (
        "Linearised at its trained weights, a network learns the task faster than linearised at "
        "its initial ones."
    )
    evolves = (
        "Networks overfit to the eigenfunctions mostly because their kernel evolves in training."
    )
    kernels = (
        ("", ("the trained network's kernel", ""), TRAINED),
        (" at the initial trace too", scaled, RESCALED),
    )
    return (
        [
            Claim(
                f"The kernel of the trained network learns faster{at}{variation}",
                learns,
                f"Training loss with the initial kernel minus that with {kernel}, mean over all "
                f"epochs.{remark}",
                by_group(groups, gain_in_loss(learner)),
            )
            for at, (kernel, remark), learner in kernels
        ]
        + [
            Claim(
                "The kernel of the trained network generalises worse"
                f"{at or ' on the eigenfunction'}{variation}",
                evolves,
                f"Test accuracy with the initial kernel minus that with {kernel}.{remark}",
                by_group(groups, partial(_lost, by=learner), Kind.DIFFERENCE),
            )
            for at, (kernel, remark), learner in kernels
        ]
        + [
            _of_the_share(groups, learner, f"{at}{variation}", f"{kernel}.{remark}")
            for at, (kernel, remark), learner in kernels
        ]
    )


def _lost(run: PretrainedRun, by: int) -> float:
    """How much of the test accuracy with the initial kernel a learner does not reach."""
    final = run.result.curves[:, -1, TEST_ACCURACY]
    return float(final[INITIAL] - final[by])


def _of_the_share(
    groups: Mapping[str, Sequence[PretrainedRun]], learner: int, where: str, kernel: str
) -> Claim:
    """The claim that the kernel's evolution explains more than half of what the network loses."""

    def beyond_half(run: PretrainedRun) -> float:
        return _lost(run, learner) - _lost(run, NETWORK) / 2

    beyond = {
        f"{group}: explained less half the loss": estimate
        for group, estimate in by_group(groups, beyond_half).items()
    }
    losses, explained = (
        by_group(groups, partial(_lost, by=by), Kind.DIFFERENCE) for by in (NETWORK, learner)
    )
    # A ratio of means: in a seed where the network loses nothing, a share would have no meaning.
    shares = ", ".join(
        f"{explained[group].interval().mean / loss.interval().mean:.2g} for {group}"
        for group, loss in losses.items()
        if loss.interval().mean > 0
    )
    share = f" Its share is {shares}, the ratio of the means." if shares else ""
    premises = {f"{group}: loss of the network": loss for group, loss in losses.items()}
    return Claim(
        f"The evolution of the kernel explains most of the network's loss{where}",
        "Abstract: networks overfit to these tasks mostly due to the evolution of their kernel "
        "during training.",
        "The loss is the test accuracy of the linearisation at initialisation minus that of the "
        f"network. Explained is the part that remains with {kernel}{share} The claim presupposes a "
        "loss.",
        beyond | premises | {f"{group}: explained": part for group, part in explained.items()},
        dict.fromkeys(beyond, POSITIVE),
        dict.fromkeys(premises, POSITIVE),
    )


def _of_directions(runs: Sequence[DirectionsRun], variation: str) -> list[Claim]:
    def fall(model: str) -> Callable[[DirectionsRun], float]:
        return lambda run: (
            -rank_correlation(
                np.asarray(run.settings.indices, dtype=float), final_accuracies(run.result, model)
            )
        )

    groups = grouped(runs)
    paper = (
        "Data that are separable along an anisotropy direction are learnt the worse the higher "
        "its index."
    )
    return [
        *(
            Claim(
                f"The {name}'s accuracy falls with the index of the direction{variation}",
                paper,
                f"Minus the Spearman correlation of index and test accuracy of the {name}.",
                by_group(groups, fall(model), Kind.CORRELATION),
            )
            for model, name in (("network", "network"), ("linear", "linearisation"))
        ),
        Claim(
            f"The linearisation ranks the directions as the network does{variation}",
            "The linear approximation tells which directions the network prefers.",
            "Spearman correlation of the two models' test accuracies over the indices.",
            by_group(groups, _rank_correlation, Kind.CORRELATION),
        ),
    ]


_CLAIMS: dict[str, tuple[str, Callable[[Sequence[Any], str], list[Claim]]]] = {
    "eigenfunction_tasks": ("", _of_eigenfunctions),
    "torch_initialisation": (", torch's default initialisation", _of_eigenfunctions),
    "held_out_labels": (", test labels by Nystrom's extension", _of_eigenfunctions),
    "class_tasks": ("", _of_classes),
    "training_sizes": ("", _of_training_sizes),
    "directions": ("", _of_directions),
    "pretrained": ("", _of_the_trained_kernel),
}
"""The claims of experiments whose names begin so, and what is added to the claims' titles."""


def _rank_correlation(run: Run[object, HasCurves]) -> float:
    """Spearman's rank correlation of the two models' test accuracies over the tasks."""
    return rank_correlation(
        final_accuracies(run.result, "linear"), final_accuracies(run.result, "network")
    )


def _lead(model: str, other: str) -> Callable[[Run[object, HasCurves]], float]:
    """Test accuracy of one model minus that of the other, mean over the tasks."""
    return lambda run: float(
        (final_accuracies(run.result, model) - final_accuracies(run.result, other)).mean()
    )
