"""
The persistence diagram of a network's neurons
==============================================

Two neurons are close if their activations over the training inputs are correlated. As the distance
grows, neurons merge into components (H0) and close loops (H1); a persistence diagram records when
each is born and when it dies. The engine computes it exactly.
"""

# %%
# Train a small network on 200 handwritten digits.

import numpy as np
import torch

import gengap

torch.set_num_threads(1)
data = gengap.datasets.load("digits", train_size=200, test_size=500)
network = gengap.networks.build(gengap.networks.convolutional((8, 8, 1), 10, width=16, depth=2))
recipe = gengap.training.Recipe(optimiser="adam", learning_rate=0.003, batch_size=32, epochs=20)
trained = gengap.training.train(network, data.train, recipe)
for split in (data.train, data.test):
    loss, accuracy = gengap.training.loss_and_accuracy(network, split)
    print(f"{len(split.labels)} inputs: accuracy {accuracy:.2f}")

# %%
# ``sample`` draws neurons, those that are the most active ones for some input more often than
# others (Ballester et al. 2023), and returns their activations on all inputs.

drawn = gengap.activations.sample(
    network, data.train.inputs, neurons=400, draws=2, rng=np.random.default_rng(0)
)
print(f"{drawn.draws.shape[1]} of {drawn.population} neurons, in {len(drawn.draws)} draws")

# %%
# The distance of two neurons is 1 - abs(r), with r their correlation.

activations = drawn.activations[drawn.draws[0]]
distances = gengap.topology.correlation_dissimilarity(activations)

diagrams = gengap.topology.persistence_diagrams(distances)
print(f"H0: {len(diagrams[0])} bars, H1: {len(diagrams[1])} bars")

# %%
# The same diagrams from another engine, ripser.py. They are equal to the last bit.

others = gengap.topology.persistence_diagrams(distances, engine="ripser")
assert all(np.array_equal(ours, theirs) for ours, theirs in zip(diagrams, others, strict=True))

# %%
# Each point is a component or a loop. The higher it is above the diagonal, the longer it lives.

figure = gengap.figures.persistence_diagrams({"trained network": [diagrams]})

# %%
# Diagrams become numbers by a *vectorisation*. ``vectorise`` computes all of them.

for name, vector in list(gengap.topology.vectorise(diagrams).items())[:8]:
    print(f"{name:40} {np.round(np.ravel(vector)[:4], 3)}")
