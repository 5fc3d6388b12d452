"""Sums over customers of what several of their clocks have in common, as clocks end one after the other."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("i4", "i8", "f8", "f8", "int", "out f8 2d")
def walk_clusters(clusters, places, a, e, n_clusters, changes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write by how much sums over clusters change at each time.

    Row r of cluster `clusters[r]` ends at time `places[r]` (rows are sorted by
    it), from which on it adds `a[r]` and `e[r]` to its cluster's A and E; until
    then it is one of its cluster's m running rows. The columns of `changes`,
    one row a time, are those of Σm², ΣmA, ΣmE, ΣA², ΣAE, ΣE² and the number of
    clusters with running rows. Row 0 holds the start, when all rows run.
    """
    m = np.zeros(n_clusters)
    of_a = np.zeros(n_clusters)
    of_e = np.zeros(n_clusters)
    for r in range(clusters.size):
        m[clusters[r]] += 1
    for c in range(n_clusters):
        changes[0, 0] += m[c] * m[c]
        changes[0, 6] += m[c] > 0
    for r in range(clusters.size):
        c = clusters[r]
        at = places[r]
        m_old, a_old, e_old = m[c], of_a[c], of_e[c]
        m[c] -= 1
        of_a[c] += a[r]
        of_e[c] += e[r]
        changes[at, 0] += m[c] * m[c] - m_old * m_old
        changes[at, 1] += m[c] * of_a[c] - m_old * a_old
        changes[at, 2] += m[c] * of_e[c] - m_old * e_old
        changes[at, 3] += of_a[c] * of_a[c] - a_old * a_old
        changes[at, 4] += of_a[c] * of_e[c] - a_old * e_old
        changes[at, 5] += of_e[c] * of_e[c] - e_old * e_old
        changes[at, 6] -= m[c] == 0
