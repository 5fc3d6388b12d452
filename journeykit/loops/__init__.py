"""The inner loops: one pass over one customer's events, reading like the definition.

A loop is a plain function over arrays, compiled by numba when it is first
called. It gets the offsets of all customers and the range `[first, last)` of
those it is to handle, so that several threads can share the work.
"""

from journeykit.loops.engine import loop, over_customers

__all__ = ["loop", "over_customers"]
