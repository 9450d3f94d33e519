"""Numbers that the planning shares with the packages that compute; nothing here is imported.

The memory and the time that a job asks for rest on these constants, so they stand in one place.
"""

LAYER_BYTES = 2**29
"""The largest output inside a network takes at most this for one batch of a forward pass. Networks
of this library on images of 32x32 reach it only with more than 128 channels at full size."""

SAMPLED_LAYER_BYTES = 2**26
"""The same for the observed layers whose neurons are sampled, which are copied for each batch."""
