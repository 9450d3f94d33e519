"""The experiments of published papers: one package a paper, all of one shape.

A package has ``experiments/<name>.py`` (the settings of an experiment, its result, and ``run``),
``figures.py`` (one function an experiment) and ``claims.py``. What they share stands beside them:
``context`` (seed, data and device of a run), ``solving`` (training a network), ``outcomes``
(results as files), ``estimates`` (a number per seed), ``claims`` and ``claims_page``, ``spectra``,
``planes`` and ``plotting``. ``running`` looks an experiment up by its name. ``prediction`` is no
paper's: it judges this project's own intervals on tasks of the workflow. Import from these modules:
nothing is imported here, so that the code that a job reaches is that of its experiment alone.
"""
