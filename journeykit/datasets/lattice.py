"""Sums of delays: distributions on whole minutes and whole days."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

Mass = NDArray[np.float64]
"""Probability of each number of minutes (or days) from 0 on; it may add up to less than 1: the rest is never."""


def convolve(first: Mass, *others: Mass) -> Mass:
    """Distribution of a sum of independent delays."""
    from scipy.signal import fftconvolve

    # The transform leaves noise of about 1e-17, also below zero.
    return reduce(lambda one, other: np.maximum(fftconvolve(one, other), 0.0), others, first)


def add(*masses: Mass) -> Mass:
    """Add masses of different lengths."""
    total = np.zeros(max(len(mass) for mass in masses))
    for mass in masses:
        total[: len(mass)] += mass
    return total


def until(mass: Mass, time: int) -> float:
    """Probability of at most this time."""
    return float(mass[: time + 1].sum()) if time >= 0 else 0.0


def cumulated(mass: Mass, length: int) -> Mass:
    """Probability of at most 0, 1, … `length` − 1."""
    padded = np.zeros(length)
    padded[: len(mass)] = mass[:length]
    return np.cumsum(padded)


def earliest(*masses: Mass) -> Mass:
    """Distribution of the earliest of independent events."""
    length = max(len(mass) for mass in masses)
    none_yet = np.prod([1 - cumulated(mass, length) for mass in masses], axis=0)
    return -np.diff(np.concatenate([[1.0], none_yet]))


def later_than(mass: Mass, other: Mass) -> Mass:
    """Mass of an event where another, independent, comes at the same minute or before."""
    return mass * cumulated(other, len(mass))


def by_day(minutes: Mass, time_of_day: Mass) -> Mass:
    """Distribution of the difference of local dates, from the delay and the minute of the day at which it begins.

    Parameters
    ----------
    minutes : array
        Mass of the delay in minutes.
    time_of_day : array of 1440
        Probability of each minute of the day at its begin, independent of the
        delay.
    """
    padded = np.zeros(-(-len(minutes) // 1440) * 1440)
    padded[: len(minutes)] = minutes
    whole = padded.reshape(-1, 1440)  # days × minutes beyond them
    # It passes one more midnight if the day's minute plus those beyond reach 1440.
    passes = np.concatenate([[0.0], np.cumsum(time_of_day[::-1])[:-1]])
    days = np.zeros(len(whole) + 1)
    days[:-1] += whole @ (1 - passes)
    days[1:] += whole @ passes
    return days


def time_of_day_after(minutes: Mass, time_of_day: Mass) -> Mass:
    """Minute of the day at the end of a delay, given that it ends."""
    folded = np.zeros(1440)
    np.add.at(folded, np.arange(len(minutes)) % 1440, minutes)
    after = np.fft.irfft(np.fft.rfft(folded) * np.fft.rfft(time_of_day), 1440)
    return np.asarray(np.maximum(after, 0.0) / after.sum())
