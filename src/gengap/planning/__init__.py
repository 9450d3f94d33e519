"""What will be run, known before anything is run: the standard library, PyYAML and jsonschema only.

The Snakefile makes a :class:`~gengap.planning.plan.Plan` each time it is read, also inside every
job, so this package stays cheap and imports none of the packages that compute. Constants and names
that both sides need stand in :mod:`gengap.limits` and :mod:`gengap.names`.

``settings`` reads and validates YAML, and ``paths`` finds the files that it names; ``plan``,
``tasks`` and ``experiments`` say what is to be made of it, ``grid`` and ``families`` in detail.
``targets`` names the files, ``resources`` what jobs ask for, ``sources`` the code that they reach,
``lookup`` what rules ask by their wildcards; ``starting`` prepares a run, and ``summary`` ends it.
"""
