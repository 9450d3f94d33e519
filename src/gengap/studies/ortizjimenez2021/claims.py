"""The paper's claims against the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gengap.studies import Claim, Run, all_hold, exceeds, format_interval, interval
from gengap.studies.ortizjimenez2021.models_compared import LOSS, TEST_ACCURACY
from gengap.studies.ortizjimenez2021.figures import accuracies, grouped, spearman

Estimates = dict[str, list[float]]

INITIAL, TRAINED, RESCALED = 1, 2, 3
"""Linear arms of the experiment ``pretrained``."""


def claims(runs: Mapping[str, Sequence[Run]]) -> list[Claim]:
    """One claim after another; those whose experiments were not run are left out.

    Each claim says that a number is above 0, in every group of runs that differ by seed alone. It
    agrees if the 95% interval over seeds is above 0 in every group, disagrees if it is below 0 in
    one, and is undecided otherwise.
    """
    found = []
    for name, some in runs.items():
        for prefix, (setting, evaluate_claims) in _JUDGES.items():
            if name.startswith(prefix):
                rest = name.removeprefix(prefix).replace("_", " ")
                found += evaluate_claims(some, setting + (f" ({rest.strip()})" if rest else ""))
    return found


def _on_eigenfunctions(runs: Sequence[Run], setting: str) -> list[Claim]:
    rank = _by_group(
        runs,
        lambda run: spearman(accuracies([run], "linear")[0], accuracies([run], "network")[0]),
    )
    lead = _by_group(
        runs, lambda run: float((accuracies([run], "linear") - accuracies([run], "network")).mean())
    )
    growth = _by_group(
        runs,
        lambda run: float(
            np.log(run.outcome.arrays["alignment_after"] / run.outcome.arrays["alignment_before"])
            .mean()
        ),
    )  # fmt: skip
    indices = ", ".join(map(str, runs[0].settings["indices"]))
    return [
        _claim(
            f"The linearisation ranks the eigenfunctions as the network does{setting}",
            "Linear approximations rank the learning complexity of tasks for networks, even when "
            "the two reach very different accuracies.",
            f"Spearman correlation of the two arms' test accuracies over the indices {indices} "
            f"(above 0 for a like order, 1 for the same one{_at_chance(runs)})",
            rank,
        ),
        _claim(
            f"On eigenfunctions the linearisation beats the network{setting}",
            "Networks do not always do better than their linear approximations: on eigenfunctions "
            "of the kernel at initialisation they do worse.",
            "Test accuracy of the linearisation minus that of the network, mean over the indices",
            lead,
        ),
        _claim(
            f"The kernel turns to the labels in training{setting}",
            "While a network is trained, the alignment of its kernel with the target rises (the "
            "paper's alignment is not normalised).",
            "Natural logarithm of the normalised alignment with the labels after training over "
            "that before, mean over the indices",
            growth,
        ),
    ]


def _at_chance(runs: Sequence[Run]) -> str:
    """A warning of the indices where the network's accuracy is not told from guessing."""
    found = {}
    for name, group in grouped(runs).items():
        majority = np.array([run.outcome.arrays["majority"] for run in group])
        lead = accuracies(group, "network") - majority
        found[name] = [
            str(index)
            for index, values in zip(group[0].settings["indices"], lead.T, strict=True)
            if not interval(values.tolist())[1] > 0
        ]
    named = [f"{', '.join(indices)} for {name}" for name, indices in found.items() if indices]
    if not named:
        return ""
    return (
        "; the network's accuracy is not above the share of the larger class, by its interval, at "
        + "; ".join(named)
    )


def _on_classes(runs: Sequence[Run], setting: str) -> list[Claim]:
    lead = _by_group(
        runs, lambda run: float((accuracies([run], "network") - accuracies([run], "linear")).mean())
    )
    growth = _by_group(
        runs,
        lambda run: float(
            np.log(run.outcome.values["alignment_after"] / run.outcome.values["alignment_before"])
        ),
    )
    return [
        _claim(
            f"On groups of classes the network beats its linearisation{setting}",
            "On CIFAR-2 (classes 0-4 of CIFAR-10 against 5-9) networks do better than their linear "
            "approximations.",
            "Test accuracy of the network minus that of its linearisation",
            lead,
        ),
        _claim(
            f"The kernel turns to groups of classes in training{setting}",
            "While a network is trained, the alignment of its kernel with the target rises.",
            "Natural logarithm of the normalised alignment with the training labels after training "
            "over that before",
            growth,
        ),
    ]


def _pretrained(runs: Sequence[Run], setting: str) -> list[Claim]:
    def faster(arm: int) -> Callable[[Run], float]:
        def advantage(run: Run) -> float:
            losses = run.outcome.arrays["curves"][:, :, LOSS].mean(1)
            return float(losses[INITIAL] - losses[arm])

        return advantage

    def overfits(arm: int) -> Callable[[Run], float]:
        def loss(run: Run) -> float:
            final = run.outcome.arrays["curves"][:, -1, TEST_ACCURACY]
            return float(final[INITIAL] - final[arm])

        return loss

    growths = _by_group(runs, lambda run: run.outcome.values["trace_growth"])
    scaled = "the trained network's kernel brought to the initial trace (divided by " + (
        "; ".join(f"{np.exp(np.log(each).mean()):.3g} for {name}" for name, each in growths.items())
        + ", geometric means)"
    )
    learns = (
        "Linearised at its trained weights, a network learns the task faster than linearised at "
        "its initial ones."
    )
    evolves = (
        "Networks overfit to the eigenfunctions mostly because their kernel evolves in training."
    )
    return [
        _claim(
            f"The kernel of the trained network learns faster{setting}",
            learns,
            "Training loss with the initial kernel minus that with the trained network's, mean "
            "over all epochs",
            _by_group(runs, faster(TRAINED)),
        ),
        _claim(
            f"The kernel of the trained network learns faster at the initial trace too{setting}",
            learns,
            f"Training loss with the initial kernel minus that with {scaled}, mean over all epochs",
            _by_group(runs, faster(RESCALED)),
        ),
        _claim(
            f"The kernel of the trained network generalises worse on the eigenfunction{setting}",
            evolves,
            "Test accuracy with the initial kernel minus that with the trained network's",
            _by_group(runs, overfits(TRAINED)),
        ),
        _claim(
            f"The kernel of the trained network generalises worse at the initial trace "
            f"too{setting}",
            evolves,
            f"Test accuracy with the initial kernel minus that with {scaled}",
            _by_group(runs, overfits(RESCALED)),
        ),
    ]


def _on_directions(runs: Sequence[Run], setting: str) -> list[Claim]:
    def falls(arm: str) -> Callable[[Run], float]:
        return lambda run: (
            -spearman(np.asarray(run.settings["indices"], dtype=float), accuracies([run], arm)[0])
        )

    paper = (
        "Data that are separable along an anisotropy direction are learnt the worse the higher "
        "its index."
    )
    measured = "Minus the Spearman correlation of index and test accuracy"
    return [
        _claim(
            f"The network's accuracy falls with the index of the direction{setting}",
            paper,
            f"{measured} of the network",
            _by_group(runs, falls("network")),
        ),
        _claim(
            f"The linearisation's accuracy falls with the index of the direction{setting}",
            paper,
            f"{measured} of the linearisation",
            _by_group(runs, falls("linear")),
        ),
        _claim(
            f"The linearisation ranks the directions as the network does{setting}",
            "The linear approximation tells which directions the network prefers.",
            "Spearman correlation of the two arms' test accuracies over the indices",
            _by_group(
                runs,
                lambda run: spearman(
                    accuracies([run], "linear")[0], accuracies([run], "network")[0]
                ),
            ),
        ),
    ]


_JUDGES: dict[str, tuple[str, Callable[[Sequence[Run], str], list[Claim]]]] = {
    "eigentasks": ("", _on_eigenfunctions),
    "torch_initialisation": (", torch's default initialisation", _on_eigenfunctions),
    "held_out_labels": (", test labels by Nystrom's extension", _on_eigenfunctions),
    "classtasks": ("", _on_classes),
    "directions": ("", _on_directions),
    "pretrained": ("", _pretrained),
}
"""What an experiment whose name starts so is judged by, and what is added to its claims' titles."""


def _by_group(runs: Sequence[Run], estimate: Callable[[Run], float]) -> Estimates:
    return {name: [estimate(run) for run in group] for name, group in grouped(runs).items()}


def _claim(title: str, paper: str, quantity: str, estimates: Estimates) -> Claim:
    """A claim that the estimates are above 0, in every group."""
    numbers = "; ".join(
        f"{format_interval(values)} for {name}" for name, values in estimates.items()
    )
    holds = all_hold(*(exceeds(values) for values in estimates.values()))
    return Claim(title, paper, f"{quantity}: {numbers}.", holds, estimates)
