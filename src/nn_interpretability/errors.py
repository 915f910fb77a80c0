"""The errors and warnings that this package raises on purpose, each with one message a person can act on."""

from __future__ import annotations


class ConfigError(ValueError):
    """A configuration or a hyper-parameter has a value that is not allowed."""


class DataError(ValueError):
    """A file that the user provides (data, weights, pictures) is missing, damaged or not what it claims to be."""


class BrokenProductError(RuntimeError):
    """A file made by an earlier job is damaged; it has been set aside, and the next run makes it again."""


class LockedError(RuntimeError):
    """Another run is using the same results folder."""


class DiskError(OSError):
    """The disk is full, read-only, ...: a file could not be written; ``errno`` says which."""

    def __str__(self) -> str:
        return str(self.strerror)


class CoverageError(RuntimeError):
    """Under ``strict=True``: the model uses an operation for which the method has no rule."""


class CoverageWarning(UserWarning):
    """The model uses an operation for which the method has no rule; the plain gradient was used there."""


class CompletenessWarning(UserWarning):
    """The values of a map do not sum to what the method promises."""
