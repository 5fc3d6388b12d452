"""The partial likelihood of Cox's model: one walk over the rows, from the last time back to the first."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part


@part
def add_row(sums, x, row, risk):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add a row's risk, risk times x, and risk times the lower triangle of x xᵀ, in one line of sums."""
    n = x.shape[1]
    sums[0] += risk
    place = n + 1
    for a in range(n):
        moment = risk * x[row, a]
        sums[1 + a] += moment
        for b in range(a + 1):
            sums[place] += moment * x[row, b]
            place += 1


@part
def efron_sums(all_risk, dead_risk, deaths, weight, efron, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write Σ w/c, Σ w f/c, Σ w/c², Σ w f/c², Σ w f²/c² over the deaths at one time; return Σ w log c.

    The k-th of d tied deaths counts as if the share f = k/d of all of them had
    left already: c = all − f · dead (Efron). Under Breslow f is 0. `w` is
    their mean weight.
    """
    mean = weight / deaths
    if not efron:
        out[0], out[1] = weight / all_risk, 0.0
        out[2], out[3], out[4] = weight / all_risk**2, 0.0, 0.0
        return weight * np.log(all_risk)
    out[:] = 0.0
    logs = 0.0
    for k in range(deaths):
        f = k / deaths
        c = all_risk - f * dead_risk
        one = mean / c
        logs += mean * np.log(c)
        out[0] += one
        out[1] += f * one
        one /= c
        out[2] += one
        out[3] += f * one
        out[4] += f * f * one
    return logs


@part
def add_information(sums, dead, e, factor, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add the information of one time, Σ w (S₂/c − S₁ S₁ᵀ/c²) with S = all − f · dead; the lower triangle of it."""
    n = out.shape[0]
    place = n + 1
    for a in range(n):
        for b in range(a + 1):
            second = sums[place] * e[0] - dead[place] * e[1]
            cross = sums[1 + a] * dead[1 + b] + dead[1 + a] * sums[1 + b]
            first = sums[1 + a] * sums[1 + b] * e[2] - cross * e[3] + dead[1 + a] * dead[1 + b] * e[4]
            out[a, b] += factor * (second - first)
            place += 1


@loop(
    "f8 2d", "f8", "f8", "f8", "b1", "i4", "i4", "i8", "i8", "bool", "f8",
    "out f8", "out f8 2d", "out f8 2d", "out f8 2d", "out i4", "out f8 2d", "out f8 2d", "out f8 2d", "out f8 2d",
)  # fmt: skip
def walk_risk_sets(  # type: ignore[no-untyped-def]  # pragma: no cover
    x, score, risk, weight, event, first, last, by_first, starts, efron, clock,
    gradient, information, with_clock, with_clock2, cells, steps, means, dead_means, averages,
):  # fmt: skip
    """Sum the log partial likelihood, its gradient and its information; return the first.

    Rows are sorted by stratum (`starts`), and within by falling `last`. Row i
    is at risk at the event times number first[i] + 1 … last[i], counted from 1
    in rising order; rows with an event have it at last[i]. `score` is x β +
    offset, and `risk` the weight times its exponential. `by_first` orders the
    rows by stratum and falling `first`; empty where nobody enters late.

    With a `clock` (a value per event time) the information times it and its
    square are summed, too. With room in `cells`, each time with events in a
    stratum (falling, stratum by stratum) gets: its number; in `steps` the sums
    of `efron_sums`, the weight of the deaths, and their number; in `means`
    Σ w x̄/c; in `dead_means` Σ w f x̄/c; in `averages` the mean x̄ over the deaths.
    """
    n_x = x.shape[1]
    size = 1 + n_x + n_x * (n_x + 1) // 2
    sums, dead, e = np.zeros(size), np.zeros(size), np.zeros(5)
    timed, late, detailed = clock.size > 0, by_first.size > 0, cells.size > 0
    likelihood, cell = 0.0, 0
    for stratum in range(starts.size - 1):
        sums[:] = 0.0
        at_risk = 0
        row, gone, end = starts[stratum], starts[stratum], starts[stratum + 1]
        while row < end:
            now = last[row]
            dead[:] = 0.0
            deaths, dead_weight = 0, 0.0
            while row < end and last[row] == now:
                add_row(sums, x, row, risk[row])
                at_risk += 1
                if event[row]:
                    add_row(dead, x, row, risk[row])
                    deaths += 1
                    dead_weight += weight[row]
                    likelihood += weight[row] * score[row]
                    for a in range(n_x):
                        gradient[a] += weight[row] * x[row, a]
                row += 1
            if late:
                # Who is not watched yet at this time, nor at any before it.
                while gone < end and first[by_first[gone]] >= now:
                    add_row(sums, x, by_first[gone], -risk[by_first[gone]])
                    at_risk -= 1
                    gone += 1
                if at_risk == 0:
                    sums[:] = 0.0  # not what rounding left
            if deaths == 0:
                continue
            likelihood -= efron_sums(sums[0], dead[0], deaths, dead_weight, efron, e)
            for a in range(n_x):
                gradient[a] -= sums[1 + a] * e[0] - dead[1 + a] * e[1]
            add_information(sums, dead, e, 1.0, information)
            if timed:
                add_information(sums, dead, e, clock[now - 1], with_clock)
                add_information(sums, dead, e, clock[now - 1] ** 2, with_clock2)
            if detailed:
                cells[cell] = now
                steps[cell, :5] = e
                steps[cell, 5], steps[cell, 6] = dead_weight, deaths
                for a in range(n_x):
                    means[cell, a] = sums[1 + a] * e[2] - dead[1 + a] * e[3]
                    dead_means[cell, a] = sums[1 + a] * e[3] - dead[1 + a] * e[4]
                    averages[cell, a] = (sums[1 + a] * e[0] - dead[1 + a] * e[1]) / dead_weight
                cell += 1
    return likelihood
