"""The exceptions that speak to the user."""


class GengapError(ValueError):
    """Bad input, said in one sentence that names the file or key and the remedy."""


class MachineError(GengapError):
    """The machine lacks what the config asks for: no network's fault, so never recorded as one."""
