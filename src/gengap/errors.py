"""Exceptions whose messages are written for the user."""


class GengapError(ValueError):
    """Bad input, described in one sentence that names the file or key and the remedy."""


class MachineError(GengapError):
    """The machine lacks something that the run needs, so no network is at fault.

    Such a failure is never recorded as a network's.
    """
