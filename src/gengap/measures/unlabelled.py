"""The family ``unlabelled``: estimates of the gap from further inputs without labels.

This family sees more than the training data: inputs of the same distribution, which a task names
under ``unlabelled``. It sees no label of theirs. Compare it with other families as what it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gengap.measures.registry import measure
from gengap.measures.response import disagreement
from gengap.measures.subject import Subject
from gengap.networks import batched_outputs, class_logits, predicted_classes


@measure(needs={"classes", "siblings", "unlabelled"}, estimates_gap=True)
def disagreement_on_unlabelled(subject: Subject) -> float:
    """Estimate the gap by how often replicates disagree on unlabelled inputs.

    Equation: the mean over the replicates r of the share of unlabelled inputs x with argmax f(x) !=
    argmax f_r(x), which estimates the test error, minus the training error.

    Source: Jiang, Nagarajan et al. 2022, "Assessing generalization of SGD via disagreement".

    Scale: linear, in units of the gap of accuracy.

    Returns:
        The estimate, in [-1, 1].
    """
    assert subject.unlabelled is not None
    wrong = predicted_classes(subject.network, subject.train) != subject.train.labels
    error = disagreement(subject.network, subject.siblings, subject.unlabelled)
    return error - float(wrong.mean())


@measure(
    "average_thresholded_confidence",
    "average_confidence",
    "difference_of_confidences",
    needs={"classes", "unlabelled"},
    estimates_gap=True,
)
def confidences(subject: Subject) -> dict[str, float]:
    """Estimate the gap by the confidence in the predictions for unlabelled inputs.

    Equation: ``average_thresholded_confidence`` is the share of unlabelled inputs of a confidence
    below t, minus the training error, where t is such that the share of training inputs below t is
    the training error. ``average_confidence`` is the training accuracy minus the mean of max_c p_c
    over the unlabelled inputs. ``difference_of_confidences`` is the mean of max_c p_c over the
    training inputs minus that over the unlabelled ones. For the first, the confidence is the
    negative entropy sum_c p_c log p_c.

    Source: Garg et al. 2022, "Leveraging unlabeled data to predict out-of-distribution
    performance", with the threshold fitted on training data; Guillory et al. 2021, "Predicting with
    confidence on unseen distributions" (difference of confidences).

    Scale: linear, in units of the gap of accuracy.

    Returns:
        The three estimates, in [-1, 1].
    """
    assert subject.unlabelled is not None
    labels = subject.train.labels
    predicted, highest, negative_entropy = _confidence(subject, subject.train.inputs)
    _, highest_elsewhere, elsewhere = _confidence(subject, subject.unlabelled)
    error = float((predicted != labels).mean())
    below = float((elsewhere < threshold(negative_entropy, predicted != labels)).mean())
    return {
        "average_thresholded_confidence": below - error,
        "average_confidence": 1.0 - error - float(highest_elsewhere.mean()),
        "difference_of_confidences": float(highest.mean() - highest_elsewhere.mean()),
    }


def threshold(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Find the threshold of scores below which there are as many as are wrong.

    Args:
        scores: (n,), larger where a network is surer.
        wrong: (n,), where its prediction is wrong.

    Returns:
        The score of rank w in increasing order, counted from 0, with w the number of wrong
        predictions: w scores are below it if all differ. Infinity if all predictions are wrong.
    """
    count = int(wrong.sum())
    return float(np.sort(scores)[count]) if count < len(scores) else float("inf")


def _confidence(
    subject: Subject, inputs: np.ndarray
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return predictions, largest probabilities and negative entropies, each (n,)."""
    logits = class_logits(batched_outputs(subject.network, inputs)).double()
    logarithms = logits.log_softmax(1)
    probabilities = logarithms.exp()
    entropy = (probabilities * logarithms.nan_to_num(neginf=0.0)).sum(1)
    return (
        logits.argmax(1).numpy(force=True),
        probabilities.amax(1).numpy(force=True),
        entropy.numpy(force=True),
    )
