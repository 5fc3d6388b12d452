"""Names that stand for customers on a page: the same every night, and nobody's id."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from journeykit.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

KEY: Final = "JOURNEYKIT_PSEUDONYM_KEY"
"""The environment variable with the key: a parameter's value would stand in the run."""
CUSTOMER: Final = "customer"
_SHORTEST: Final = 16
_LETTERS: Final = 12


def check_key() -> None:
    """Raise ParameterError unless there is a key in the environment: before anything starts."""
    pseudonyms([])


def lists_customers(frame: pd.DataFrame) -> bool:
    """Whether a table has a row a customer."""
    return CUSTOMER in frame or CUSTOMER in frame.index.names


def with_names(frame: pd.DataFrame, names: str) -> pd.DataFrame:
    """Return a table whose customers have no name, a pseudonym, or their id.

    Parameters
    ----------
    frame : DataFrame
        With customers in a column or an index called `customer`; any other is
        returned as it is.
    names : {"no", "pseudonyms", "ids"}
    """
    if names == "ids" or not lists_customers(frame):
        return frame
    if CUSTOMER in frame.index.names:
        frame = frame.reset_index()
    if names == "no":
        return frame.drop(columns=CUSTOMER)
    return frame.assign(**{CUSTOMER: pseudonyms(frame[CUSTOMER])})


def pseudonyms(customers: Iterable[object], key: str | None = None) -> list[str]:
    """Name customers so that who has the key, and the ids, finds them again, and nobody else.

    The same customer has the same name under the same key, run after run and
    report after report; under another key, another. Without the key an id
    can't even be tried: HMAC-SHA256 (RFC 2104), the first 48 bits.

    Parameters
    ----------
    customers : iterable
        Their ids.
    key : str, optional
        At least 16 characters; from the environment variable
        `JOURNEYKIT_PSEUDONYM_KEY` unless given.

    Returns
    -------
    list of str
        A name each, such as `c-3f9a12b04c7d`.

    Raises
    ------
    ParameterError
        If there is no key, or it is short enough to be guessed.

    Examples
    --------
    >>> pseudonyms(["ann", "bob", "ann"], key="a long enough secret")
    ['c-adbaa29c2e6a', 'c-c460f7e42ce3', 'c-adbaa29c2e6a']
    """
    key = os.environ.get(KEY) if key is None else key
    if key is None:
        raise ParameterError(f"pseudonyms need a key in the environment variable {KEY}")
    if len(key) < _SHORTEST:
        raise ParameterError(f"the key of pseudonyms must have at least {_SHORTEST} characters, got {len(key)}")
    secret = key.encode()
    return [f"c-{_digest(secret, customer)}" for customer in customers]


def _digest(secret: bytes, customer: object) -> str:
    return hmac.new(secret, str(customer).encode(), hashlib.sha256).hexdigest()[:_LETTERS]
