"""A notebook that cannot be run as a report."""

from journeykit.errors import ReportError


class NotebookError(ReportError):
    """The notebook itself is at fault: refused before anything starts, like a wrong argument."""
