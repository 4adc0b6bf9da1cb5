"""Everything a user can do wrong, as one family of exceptions that the command line prints without a traceback."""

from collections.abc import Sequence

from faceage_bio.results.reasons import reason


class FaceAgeBioError(Exception):
    """Base of all errors whose message is written for the person who owns the data."""


class ConfigError(FaceAgeBioError):
    """The configuration has a wrong key, type or value."""


class TableError(FaceAgeBioError):
    """A table cannot be read, or lacks a column."""


class CohortError(FaceAgeBioError):
    """Manifest, clinical data, samples or counts do not hold what the study needs."""


class CountsError(CohortError):
    """A file of RNA counts is not what the study needs; ``problems`` holds each on its own."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class WeightsError(FaceAgeBioError):
    """A weight file is wrong, damaged or of another network."""


class FitError(FaceAgeBioError):
    """A statistical model could not be fitted, so no number is given; ``reason``: its code and parameters."""

    def __init__(self, code: str, **parameters: object) -> None:
        self.reason = reason(code, **parameters)
        super().__init__(str(self.reason))

    def __reduce__(self) -> tuple:
        return _fit_error, (self.reason.code, self.reason.parameters)


def _fit_error(code: str, parameters: dict) -> FitError:
    return FitError(code, **parameters)


class PrivacyError(FaceAgeBioError):
    """Something that may not leave is in what is to be shared."""


class RunError(FaceAgeBioError):
    """A command cannot run here or with these inputs."""


def examples(values: Sequence[object], limit: int = 5) -> str:
    """Join the first ``limit`` values for a message and say how many more there are."""
    shown = "; ".join(str(value) for value in values[:limit])
    more = len(values) - limit
    return f"{shown}; and {more} more" if more > 0 else shown
