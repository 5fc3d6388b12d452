"""What can go wrong, by who can mend it."""


class JourneykitError(Exception):
    """Anything that journeykit raises on purpose."""


class LogError(JourneykitError, ValueError):
    """The interaction log lacks something, or holds something it should not."""


class ParameterError(JourneykitError, ValueError):
    """An argument is out of range, unknown, or contradicts another."""


class ReportError(JourneykitError):
    """A report could not be run or published."""
