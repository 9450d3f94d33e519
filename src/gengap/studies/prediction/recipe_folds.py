"""What a practitioner would do without a reference: cross-validate the training recipe.

The recipe is trained anew without each fold of the training data, on which it is tested.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gengap.datasets import Split
from gengap.networks import build
from gengap.planning.grid import canonical_point
from gengap.seeding import derive, generator
from gengap.tasks import Task
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, loss_and_accuracy, train

FOLDS = 5
NETWORKS = 8
"""Networks of a task whose recipes are cross-validated; each costs nearly five trainings."""
COLUMNS = ("network", "gap", "train_accuracy", "tested", "correct", "seconds")


def cross_validated_recipes(task: Task, entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Cross-validate the recipes of some of a zoo's networks.

    Args:
        task: the zoo.
        entries: ``network`` keywords and ``training`` recipe of each network, by position.

    Returns:
        One row a network, with the columns :data:`COLUMNS`: its gap and training accuracy, how
        many inputs were tested and classified correctly in all folds, and the CPU time of this.
    """
    chance = generator(0, "studies", "prediction", "recipes")
    fit = [network for network in task.networks if task.networks[network].unfit() is None]
    rows = []
    for place in np.sort(chance.permutation(len(fit))[:NETWORKS]):
        network = task.networks[fit[place]]
        entry = entries[int(network.id)]
        started = time.process_time()
        data = network.train(task.train)
        correct = correct_in_folds(data, entry["network"], entry["training"], int(network.id))
        rows.append(
            {
                "network": network.id,
                "gap": network.gap,
                "train_accuracy": network.metrics.train_accuracy,
                "tested": len(data.labels),
                "correct": correct,
                "seconds": time.process_time() - started,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def correct_in_folds(
    data: Split, network: Mapping[str, Any], training: Mapping[str, Any], seed: int
) -> int:
    """Train a recipe without each of :data:`FOLDS` folds, and test it there.

    Args:
        data: the training data.
        network: see :func:`gengap.tasks.zoo.network_spec`.
        training: entries of a :class:`gengap.training.Recipe`.
        seed: of the division into folds, initial weights and batches.

    Returns:
        How many inputs were classified correctly when they were left out.
    """
    folds = generator(seed, "studies", "prediction", "folds").permutation(len(data.labels)) % FOLDS
    correct = 0
    for fold in range(FOLDS):
        kept, tested = (
            data.take(np.flatnonzero(folds != fold)),
            data.take(np.flatnonzero(folds == fold)),
        )
        own = derive(seed, "studies", "prediction", "recipe", fold)
        recipe = Recipe.from_mapping({**canonical_point(training), "seed": own})
        module = build(network_spec(network, data.inputs.shape[1:], data.classes))
        train(module, kept, recipe)
        _, accuracy = loss_and_accuracy(module, tested, recipe.loss)
        correct += round(accuracy * len(tested.labels))
    return correct
