"""Collect simulated events kind by kind, and lay them out as one table at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]

CHANNELS: Final = (
    "app", "chat", "courier", "display", "email", "influencer", "organic_search", "paid_search", "phone", "referral",
    "social", "store", "web",
)  # fmt: skip
DEVICES: Final = ("mobile", "desktop", "tablet")
PRODUCTS: Final = (
    ("starter pack", 189.0), ("acoustic guitar", 329.0), ("electric guitar", 649.0), ("bass guitar", 579.0),
    ("amplifier", 279.0), ("effects pedal", 119.0), ("strings", 14.0), ("strap and case", 59.0),
)  # fmt: skip
ISSUES: Final = ("late delivery", "damaged", "wrong item", "how to", "billing", "not as expected")
PLANS: Final = ("monthly", "yearly")
CAMPAIGN_OF_BURST: Final = "spring_sale"
COMMENTS: Final = (
    ("Very late and nobody told me why.", "The case arrived broken.", "Three calls and still no answer.",
     "I would not order here again.", "Wrong strings, again.", "Payment failed twice."),
    ("It was all right.", "Guitar is fine, delivery was slow.", "Good price, confusing checkout.", "Not bad.",
     "The page was slow on my phone."),
    ("Great guitar, well packed!", "Fast and friendly.", "My teacher recommended you and she was right.",
     "Love the lessons ♥", "Arrived a day early, thank you!", "Best shop in town."),
)  # fmt: skip

_LABELS: Final[dict[str, tuple[str, ...]]] = {
    "channel": CHANNELS,
    "product": tuple(name for name, _ in PRODUCTS),
    "issue": ISSUES,
    "plan": PLANS,
    "comment": tuple(text for texts in COMMENTS for text in texts),
}
_NUMBERS: Final = ("order_id", "ticket_id")


class Events:
    """What happened, kind by kind.

    Parameters
    ----------
    until : int
        End of the log in microseconds: what is added at or after it is not
        kept.
    campaigns : tuple of str
        Names that the column `campaign` can have.
    """

    def __init__(self, until: int, campaigns: tuple[str, ...]) -> None:
        self.until = until
        self.labels = {**_LABELS, "campaign": campaigns}
        self._kinds: list[dict[str, Any]] = []

    def add(
        self,
        touchpoint: str | tuple[str, ...],
        customer: Codes,
        time: Codes,
        channel: str | Codes | None = None,
        *,
        kind: Codes | None = None,
        **more: Any,
    ) -> None:
        """Add events of one kind.

        Parameters
        ----------
        touchpoint : str or tuple of str
            Its name; several, then `kind` says which of them each event is.
        customer, time : array of int
            Code of the customer, and microseconds since 1970.
        channel : str, array of int or None
            One channel for all, or codes into `CHANNELS`.
        kind : array of int, optional
            Codes into `touchpoint`.
        **more
            Arrays of further columns: `value` and `score` are numbers,
            `promised_at` is a time, `order_id` and `ticket_id` are whole
            numbers, all else are codes; -1 (NaN for numbers) is missing.
        """
        keep = time < self.until
        names = (touchpoint,) if isinstance(touchpoint, str) else touchpoint
        if isinstance(channel, str):
            channel = np.full(len(time), CHANNELS.index(channel))
        columns: dict[str, Any] = {"names": names, "customer": customer[keep].astype(np.int32), "time": time[keep]}
        columns["kind"] = np.zeros(int(keep.sum()), np.int16) if kind is None else kind[keep].astype(np.int16)
        if channel is not None:
            columns["channel"] = channel[keep].astype(np.int8)
        columns.update({name: np.asarray(values)[keep] for name, values in more.items() if values is not None})
        self._kinds.append(columns)

    def frame(self, ids: pd.Index, known: dict[str, tuple[NDArray[np.int8], tuple[str, ...]]]) -> pd.DataFrame:
        """Lay all events out, one row each, in no order of time.

        Parameters
        ----------
        ids : Index
            Id of each customer code.
        known : dict
            What is known of a customer from the start: name → (code per
            customer, labels).
        """
        names = sorted({name for each in self._kinds for name in each["names"]})
        for each in self._kinds:  # from a kind's own names to the names of all
            position = np.array([names.index(name) for name in each.pop("names")], dtype=np.int16)
            each["touchpoint"] = position[each.pop("kind")]
        columns: dict[str, Any] = {}
        customer = self._column("customer", np.int32, -1)
        columns["customer"] = _categories(customer, ids)
        columns["time"] = pd.DatetimeIndex(self._column("time", np.int64, 0).view("M8[us]"), tz="UTC")
        columns["touchpoint"] = _categories(self._column("touchpoint", np.int16, -1), names)
        columns["channel"] = self._coded("channel")
        columns["value"] = self._column("value", np.float64, np.nan)
        for name, (codes, labels) in known.items():
            columns[name] = _categories(codes[customer], labels)
        columns["campaign"] = self._coded("campaign")
        columns["product"] = self._coded("product")
        columns["order_id"] = self._whole("order_id")
        columns["promised_at"] = pd.DatetimeIndex(
            self._column("promised_at", np.int64, np.iinfo(np.int64).min).view("M8[us]"), tz="UTC"
        )
        columns["score"] = self._column("score", np.float64, np.nan)
        columns["comment"] = self._coded("comment")
        columns["ticket_id"] = self._whole("ticket_id")
        columns["issue"] = self._coded("issue")
        columns["plan"] = self._coded("plan")
        return pd.DataFrame(columns, copy=False)

    def _column(self, name: str, dtype: Any, missing: Any) -> NDArray[Any]:
        sizes = [len(each["time"]) for each in self._kinds]
        whole = np.full(sum(sizes), missing, dtype=dtype)
        at = 0
        for each, size in zip(self._kinds, sizes, strict=True):
            if name in each:
                whole[at : at + size] = each[name]
            at += size
        return whole

    def _coded(self, name: str) -> Any:
        return _categories(self._column(name, np.int8, -1), self.labels[name])

    def _whole(self, name: str) -> pd.arrays.IntegerArray:
        numbers = self._column(name, np.int64, -1)
        return pd.arrays.IntegerArray(numbers, numbers < 0)


def _categories(codes: NDArray[Any], labels: Iterable[str]) -> Any:
    return pd.Categorical.from_codes(codes, categories=pd.Index(labels))
