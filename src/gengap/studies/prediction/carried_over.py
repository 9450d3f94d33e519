"""What a reference says of the networks of other data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gengap.names import DECLINED
from gengap.prediction import Reference, predict_task
from gengap.prediction.reference import measured_networks
from gengap.studies.prediction.left_out import DRAWS_OF_SEED
from gengap.tasks import load

COLUMNS = ("reference", "task", "network", "replicate", "gap", "declined", "distance_p", "rank")


def carried_over(folder: Path, others: Sequence[Path]) -> pd.DataFrame:
    """Predict the networks of other tasks from a reference of one.

    Args:
        folder: of the task of which one seed is the reference.
        others: folders of the other tasks.

    Returns:
        One row a network of another task that is fit, with the columns :data:`COLUMNS`.
        ``distance_p`` and ``rank`` are empty where the network lacks measures of the reference.
    """
    networks = measured_networks(folder)
    reference = Reference.of(networks.part(networks.draws < DRAWS_OF_SEED))
    tables = []
    for other in others:
        task = load(other)
        fit = [name for name, entry in task.networks.items() if entry.unfit() is None]
        table = predict_task(other, reference).set_index("network").loc[fit]
        entries = [task.networks[name] for name in fit]
        tables.append(
            pd.DataFrame(
                {
                    "reference": folder.name,
                    "task": other.name,
                    "network": fit,
                    "replicate": [entry.metrics.replicate for entry in entries],
                    "gap": [entry.gap for entry in entries],
                    "declined": (table["verdict"] == DECLINED).to_numpy(),
                    "distance_p": table["distance_p"].to_numpy(),
                    "rank": table["rank"].to_numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]
