"""Which reports there are, and what they can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeykit.reports.plan import Source, read_source, standard_reports

if TYPE_CHECKING:
    import pandas as pd


def list_reports() -> pd.DataFrame:
    """List the standard reports.

    Returns
    -------
    DataFrame
        One row a report: `report` (its name, for `run_report`), `about`
        (what it answers), `parameters` (their names).

    Examples
    --------
    >>> "journey_overview" in jk.list_reports()["report"].tolist()
    True
    """
    import pandas as pd

    sources = [read_source(path) for path in standard_reports().values()]
    return pd.DataFrame(
        {
            "report": [source.name for source in sources],
            "about": [about(source) for source in sources],
            "parameters": [list(source.parameters) for source in sources],
        }
    )


def about(source: Source) -> str:
    """Say in a line what a report answers: the first line under its title, else the title."""
    for cell in source.notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = [line.strip() for line in cell["source"].splitlines() if line.strip() and line[0] != "#"]
            return lines[0] if lines else source.title
    return ""
