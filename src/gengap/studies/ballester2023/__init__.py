"""Ballester et al. 2023: summaries of persistence diagrams of activations that predict the gap."""
