"""Whether a likelihood has one highest point: covariates that say the same, and effects without end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats

SAME = 1e-10
"""Where so small a share of the greatest information is left along a line, its covariates are made of one another."""

LOST = 1e-8
"""Where less than this share of the information is left on the way up, the way does not end."""


def refuse_collinear(names: Sequence[str], information: Floats) -> None:
    """Raise ParameterError where covariates, scaled alike, are made of one another."""
    values, vectors = np.linalg.eigh(information)
    if values[0] > SAME * max(values[-1], 1e-300):
        return
    involved = [name for name, part in zip(names, vectors[:, 0], strict=True) if abs(part) > 0.1]
    raise ParameterError(
        f"among those watched when somebody leaves, these covariates are the same or made of one another: {involved}; "
        "leave one of them out, or give a penalizer"
    )


def refuse_unbounded(names: Sequence[str], before: Floats, after: Floats) -> None:
    """Raise ParameterError where the likelihood rises without end: it got flat, its information vanished."""
    root = np.linalg.cholesky(before)
    values, vectors = np.linalg.eigh(np.linalg.solve(root, np.linalg.solve(root, after).T))
    if values[0] > LOST:
        return
    along = np.linalg.solve(root.T, vectors[:, 0])
    far = [name for name, part in zip(names, along, strict=True) if abs(part) > 0.3 * np.abs(along).max()]
    raise ParameterError(
        f"the effect of {far} has no bound: nobody, or everybody, who leaves first has it. "
        "Join rare values, leave it out, or give a penalizer"
    )
