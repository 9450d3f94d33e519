"""How well the gaps of networks are predicted that a reference has not seen.

``left_out`` predicts networks, draws of the training data and architectures that are left out of a
zoo, ``carried_over`` the networks of other data sets, and ``recipe_folds`` cross-validates training
recipes. ``summaries`` reduces their tables, and ``report`` writes them up.
"""
