"""Maddox, Benton and Wilson 2020, "Rethinking parameter counting in deep models: effective
dimensionality revisited", arXiv:2003.02139.
"""
