"""Predictions of a task as a ``.predict`` file of the PGDL competition."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.files import writing
from gengap.tasks import load


def export_predictions(predictions: pd.DataFrame, folder: str | Path, out: str | Path) -> Path:
    """Write ``<task>.predict``, which ``gengap score`` and the competition's program read.

    The value of a network is its rank by the predicted gap: the score knows the order alone, and an
    order is there also where the level is declined.

    Args:
        predictions: of the task's networks, from :func:`gengap.prediction.predict_task`.
        folder: the task's folder, which has the names of its networks at their source.
        out: the folder to write to; it must exist.

    Returns:
        The file.

    Raises:
        GengapError: a network has no rank.
    """
    task = load(folder)
    ranks = predictions.set_index("network")["rank"]
    values = {}
    for name, entry in task.networks.items():
        rank = ranks.get(name)
        if rank is None or pd.isna(rank):
            raise GengapError(
                f"Network {name} of task '{task.name}' has no rank, since the reference does not "
                "order it: predict with a reference whose measures it has."
            )
        values[entry.metrics.source_id or name] = int(rank)
    path = Path(out) / f"{task.name}.predict"
    with writing(path) as part:
        part.write_text(json.dumps(values, indent=1) + "\n")
    return path
