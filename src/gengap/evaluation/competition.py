"""Scoring a folder of ``.predict`` files, as the competition's scoring program does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.designs import natural_key
from gengap.evaluation.mutual_information import conditional_mutual_information
from gengap.files import read_json


def score_folder(predictions: Path, reference: Path) -> pd.DataFrame:
    """Score each ``<task>.predict`` file by its conditional mutual information.

    Args:
        predictions: folder of ``<task>.predict`` files (JSON: network to value), or of one such
            folder per measure.
        reference: folder with ``<task>/model_configs.json``.

    Returns:
        measure (name of the folder that holds the file), task, networks, score (0 to 1).

    Raises:
        GengapError: predictions or the reference are missing, a file is not JSON, or
            ``conditional_mutual_information`` refuses its values; the message names the file.
    """
    files = [*predictions.glob("*.predict"), *predictions.glob("*/*.predict")]
    if not files:
        raise GengapError(f"{predictions} holds no .predict file: give the folder that does.")
    rows = []
    for file in sorted(files, key=lambda path: natural_key(path.as_posix())):
        values = read_json(file, "write it again, a value per network")
        configs = read_json(
            reference / file.stem / "model_configs.json", "put the task's reference file there"
        )
        try:
            score = conditional_mutual_information(values, configs)
        except GengapError as error:
            raise GengapError(f"{file}: {error}") from error
        rows.append((file.resolve().parent.name, file.stem, len(configs), score))
    return pd.DataFrame(rows, columns=["measure", "task", "networks", "score"])
