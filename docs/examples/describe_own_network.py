"""
Adopt a network of your own
===========================

Any torch module can be measured. ``adopt`` wraps it: it recognises the order of the axes, counts
the outputs, and finds the layers whose activations are neurons. ``applicable`` then says what can
be computed, and why the rest cannot.
"""

# %%
# A small residual network, as you may have written it. Its inputs have their channels first.

import numpy as np
import torch
from torch import nn

import gengap


class Residual(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width, 10)

    def forward(self, images):  # (n, 1, 8, 8)
        features = torch.relu(self.stem(images))
        features = torch.relu(features + self.second(torch.relu(self.first(features))))
        return self.head(features.mean((2, 3)))


torch.manual_seed(0)
module = Residual()

# %%
# Everywhere in the library, images have their channels last. The adopted network turns them for
# its module.

data = gengap.datasets.load("digits", train_size=200, test_size=200)
network = gengap.networks.adopt(module, data.train, layout="channels_first")

print("input shape:", network.input_shape, " parameters:", gengap.networks.parameter_count(network))
for kernel in gengap.networks.kernels(network):
    print(f"{kernel.name:10} {tuple(kernel.weight.shape)}")

# %%
# The neurons of topological measures are the activations of these layers.

print([name for name, _ in gengap.networks.observed_layers(network)])

# %%
# What can be measured? The initial weights of this network are not known, so measures that need
# them are left out, each by its name.

subject = gengap.measures.Subject(network, None, data.train, np.random.default_rng(0))
for name, reason in gengap.measures.applicable("baseline", subject).items():
    print(f"{name}: {reason or 'can be computed'}")

# %%
# And a few numbers. An untrained network says little about gaps: this one is here to show the
# calls.

for name, value in gengap.measures.compute("norms", subject).items():
    print(f"{name:40} {float(value):10.3f}")
