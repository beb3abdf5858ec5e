"""The error that ends a run. Errors of files are defined where the files are read."""


class RunError(RuntimeError):
    """The run cannot go on; the message says why and what a new start of the same run will do."""
