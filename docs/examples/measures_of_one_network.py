"""
All measures of one network
===========================

A measure is a function of a network, its initial weights and its training data. It never sees test
data. This example trains a network, computes a few families of measures, and shows where a measure
tells how sure it is.
"""

# %%
# A network that learns 100 digits by heart.

import numpy as np
import pandas as pd
import torch

import gengap
from gengap.measures import Subject, compute
from gengap.training import Recipe, train

torch.set_num_threads(1)
data = gengap.datasets.load("digits", train_size=100, test_size=1000, balanced=True)
network = gengap.networks.build(gengap.networks.dense((8, 8, 1), 10, width=64, depth=2))
recipe = Recipe(optimiser="adam", learning_rate=0.003, batch_size=25, stop_at_loss=0.02)
result = train(network, data.train, recipe)

_, train_accuracy = gengap.training.loss_and_accuracy(network, data.train)
_, test_accuracy = gengap.training.loss_and_accuracy(network, data.test)
print(f"{result.epochs} epochs; gap {train_accuracy:.3f} - {test_accuracy:.3f}")

# %%
# A ``Subject`` holds what measures may see. The initial weights are known here, so that distances
# from them can be computed.

initial = gengap.networks.build(gengap.networks.dense((8, 8, 1), 10, width=64, depth=2))
gengap.networks.set_weights(initial, result.initial, source="the initial weights")


def subject():
    return Subject(network, initial, data.train, np.random.default_rng(0))


values = compute("baseline", subject())
pd.Series({name: float(value) for name, value in values.items()}).round(3).to_frame("value")

# %%
# Some measures rest on random draws, and report the standard error of their mean.

values = compute("sharpness", subject(), slow=False)
pd.DataFrame(
    {
        "value": {name: float(value) for name, value in values.items()},
        "standard error": {name: float(e) for name, e in values.standard_errors.items()},
    }
).round(6)

# %%
# What cannot be computed is left out by name, with the reason.

for name, reason in compute(
    "history",
    Subject(
        network,
        initial,
        data.train,
        np.random.default_rng(0),
        history=pd.DataFrame(result.history),
    ),
).left_out.items():
    print(f"{name}: {reason}")

# %%
# A measure of your own is a function of a subject.


def largest_weight(subject):
    """Return the largest absolute weight."""
    return max(float(p.detach().abs().max()) for p in subject.network.parameters())


print(dict(compute(largest_weight, subject())))
