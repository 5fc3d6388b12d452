"""What a report notebook asks of its log before it chooses analyses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from journeykit.reports.headlines import BOUGHT
from journeykit.text import language as speaking
from journeykit.text import say

if TYPE_CHECKING:
    from journeykit.journey import Step
    from journeykit.log import InteractionLog


@dataclass(frozen=True)
class Absent:
    """An analysis that this log does not allow, with the reason; false in an `if`."""

    reason: str

    def __bool__(self) -> bool:
        """Return False, so that a notebook can say `if funnel:`."""
        return False


class Questions:
    """What the log of a report has, and what of it an analysis should look at."""

    log: InteractionLog
    language: str

    def first_known(self, *names: str) -> str | None:
        """Return the first of these touchpoints or stages that the log has an event of; None if it has none.

        Examples
        --------
        >>> report.first_known("order", "purchase")  # doctest: +SKIP
        'order'
        """
        touchpoints = set(map(str, self.log.touchpoints.take(pd.unique(self.log.touchpoint_codes))))
        return next((name for name in names if name in touchpoints or name in self._seen_stages), None)

    @property
    def stages(self) -> list[str] | Absent:
        """The stages that the log has an event of, in their order; Absent if they are fewer than two.

        A log of orders knows nothing of awareness: that nobody is seen there
        does not say that nobody was. `about_data` names what is not seen.
        """
        seen = self._seen_stages
        if len(seen) > 1:
            return seen
        with speaking(self.language):
            return Absent(say("reports.few_stages", stages=len(seen)))

    @property
    def _seen_stages(self) -> list[str]:
        codes = set() if self.log.stage_codes is None else set(pd.unique(self.log.stage_codes))
        return [stage for code, stage in enumerate(self.log.stages) if code in codes]

    @property
    def to_purchase(self) -> list[str] | Absent:
        """The stages up to the purchase, or all where there is none: how somebody becomes a customer."""
        stages = self.stages
        if isinstance(stages, Absent) or BOUGHT not in stages[1:]:
            return stages
        return stages[: stages.index(BOUGHT) + 1]

    @property
    def pages(self) -> list[str] | Absent:
        """The pages on the way to the order; the stages to the purchase in a log of fewer than two such pages.

        A stage takes in what may stand in the way of its pages, such as a payment error.
        """
        from journeykit.analyses.friction.analysis import USUAL_STEPS

        seen = [step for step in USUAL_STEPS if self.first_known(step)]
        return seen if len(seen) > 1 else self.to_purchase

    @property
    def own_doing(self) -> Step | None:
        """What customers do themselves, as a step: without reminders, deliveries and the like.

        A touchpoint that the stage model does not know counts as their doing.
        None, which is any event, where the model says nothing of initiative.
        """
        from journeykit.journey import Step

        model = self.log.stage_model
        knows = model is not None and "initiative" in model.derived
        return Step(where={"initiative": ("active", None)}) if knows else None

    def first_column(self, *names: str) -> str | None:
        """Return the first of these columns that the log has; None if it has none."""
        return next((name for name in names if name in self.log.columns), None)

    @property
    def covariates(self) -> dict[str, str]:
        """What is known of customers at their start, for models: name → column, of those the log has."""
        known = {"first_channel": "channel", "customer_segment": "segment", "first_device": "device"}
        return {name: column for name, column in known.items() if column in self.log.columns}

    def days_back(self, days: str) -> date:
        """A day so long before the log ends that what is learned until then can be judged by what followed."""
        moment: pd.Timestamp = self.log.ends_at - pd.Timedelta(days) - pd.Timedelta("3d")  # and whole days beyond
        return moment.date()
