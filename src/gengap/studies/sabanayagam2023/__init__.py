"""The experiments of Sabanayagam et al. (2023), "Unveiling the Hessian's connection to the decision
boundary", arXiv:2306.07104.
"""
