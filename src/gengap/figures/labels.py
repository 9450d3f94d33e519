"""Names from the tables, as words for readers."""

from __future__ import annotations

import math
import re
import textwrap
from numbers import Number
from typing import Any

import numpy as np

_ROWS = {
    "always_generalize": "Always Generalize",
    "reference.mean": "the mean gap",
    "reference.hyper_parameters": "hyper-parameters alone",
    "reference.hyper_parameters_pairwise": "hyper-parameters and their products",
    "reference.training_accuracy": "training accuracy alone",
    "reference.training_loss": "training loss alone",
    "reference.training_error": "training error alone",
    "reference.random": "a random measure",
    "reference.gap_with_replicate_noise": "the gap with replicates' noise",
    "reference.replicate_ceiling": "replicates of the network",
    "combination.all": "all measures",
    "combination.all_and_hyper_parameters": "all measures and hyper-parameters",
    "combination.best_single": "best measure of the training folds",
}
_GAPS = {
    "accuracy": "generalisation gap",
    "loss": "gap in loss",
    "error": "gap in root-mean-square error",
}
_PROPER_WORDS = {
    "bayes": "Bayes", "betti": "Betti", "bouldin": "Bouldin", "brain": "BrAIn", "davies": "Davies",
    "dbi": "DBI", "fisher": "Fisher", "frobenius": "Frobenius", "gi": "Gi", "hessian": "Hessian",
    "interpex": "Interpex", "jacobian": "Jacobian", "l1": "L1", "l2": "L2", "laplace": "Laplace",
    "ntk": "NTK", "pac": "PAC", "pal": "Pal", "rao": "Rao", "takeuchi": "Takeuchi", "vc": "VC",
    "vpm": "VPM", "wasserstein": "Wasserstein",
}  # fmt: skip
_DIMENSIONS = re.compile(r"(?:H\d+)+")
_LABEL_WIDTH = 36  # characters: about 2 inches at the size of tick labels
_VALUE_WIDTH = 24


def words(name: str) -> str:
    """Write a name as words: ``"label_corruption"`` -> ``"label corruption"``."""
    text = " ".join(_PROPER_WORDS.get(word, word) for word in name.split("_") if word)
    return text.replace("hyper parameter", "hyper-parameter")


def dimensions_label(dimensions: str) -> str:
    """Write dimensions as words: ``"H0H1"`` -> ``"H0 and H1"``."""
    parts = re.findall(r"H\d+", dimensions)
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def split_dimensions(measure: str) -> tuple[str, str] | None:
    """Split ``"<vectorisation>.<dims>"`` in two; None for a measure without dimensions."""
    stem, _, last = measure.rpartition(".")
    return (stem, last) if stem and _DIMENSIONS.fullmatch(last) else None


def measure_label(name: str) -> str:
    """Write a measure's name for a reader, on one line.

    ``"persistent_entropy.H0H1"`` -> ``"persistent entropy, H0 and H1"``;
    ``"reference.mean"`` -> ``"the mean gap"``.

    Returns:
        The label.
    """
    if name in _ROWS:
        return _ROWS[name]
    split = split_dimensions(name)
    if split is not None:
        return f"{measure_label(split[0])}, {dimensions_label(split[1])}"
    return ", ".join(words(part) for part in name.split(".") if part)


def gap_label(of: str) -> str:
    """Name the gap on an axis, by what it is of: one of :data:`gengap.names.GAPS`."""
    return _GAPS[of]


def wrapped(label: str, letters: int = _LABEL_WIDTH) -> str:
    """Break a label into lines of at most ``letters`` where its words allow."""
    return textwrap.fill(label, letters, break_long_words=False)


def value_label(value: Any) -> str:
    """Write a value of a hyper-parameter: ``True`` -> ``"yes"``, NaN -> ``"none"``."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "none"
    text = f"{value:g}" if isinstance(value, Number) else words(str(value))
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"


def number(value: float) -> str:
    """Write a number with two decimals, fewer when it is large, and a real minus sign."""
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    text = f"{value:.{decimals}f}" if abs(value) < 1e4 else f"{value:.0e}"
    return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"
