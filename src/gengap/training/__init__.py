"""Training: one trainer for all networks. Front doors: :func:`train`, :func:`loss_and_accuracy`.

A :class:`Recipe` says how: loss, optimiser, schedule, stopping, augmentation, label corruption,
initialisation and seed.
"""

from gengap.training.corruption import corrupt_labels
from gengap.training.losses import loss_and_accuracy, loss_inputs, sample_losses
from gengap.training.recipe import Recipe
from gengap.training.trainer import TrainingResult, set_initial_weights, train

__all__ = [
    "Recipe",
    "TrainingResult",
    "corrupt_labels",
    "loss_and_accuracy",
    "loss_inputs",
    "sample_losses",
    "set_initial_weights",
    "train",
]
