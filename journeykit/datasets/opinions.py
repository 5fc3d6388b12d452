"""True effects of frictions, true satisfaction, true trials."""

from __future__ import annotations

import numpy as np
import pandas as pd

from journeykit.datasets.parameters import Segment, ShopParameters
from journeykit.datasets.spine import consider_rate, step_rate
from journeykit.datasets.voices import score_weights


def friction_table(parameters: ShopParameters) -> pd.DataFrame:
    """Prevalence and effect of each friction in first attempts on the web, and the noise that has none."""
    rows = []
    for friction in parameters.frictions:
        name, step = friction.touchpoint, friction.step
        weights = np.array([_there(parameters, each, step) for each in parameters.segments])
        weights = weights / weights.sum()
        met = [step_rate(parameters, each, step, given=name) for each in parameters.segments]
        free = [step_rate(parameters, each, step, without=name) for each in parameters.segments]
        after = [
            each.checkout * step_rate(parameters, each, "order") if step == "cart" else 1.0
            for each in parameters.segments
        ]
        difference = np.array(met) - np.array(free)
        rows.append(
            {
                "touchpoint": name,
                "step": step,
                "base": "product_page" if step == "cart" else "checkout",
                "prevalence_rate": friction.prevalence,
                "step_with_rate": float(weights @ met),
                "step_without_rate": float(weights @ free),
                "step_difference": float(weights @ difference),
                "odds_ratio": float(np.exp(friction.effect)),
                "order_difference": float(weights @ (difference * np.array(after))),
            }
        )
    shares = np.array([each.share * consider_rate(parameters, each, first=True) for each in parameters.segments])
    ordered = np.array([_order_rate(parameters, each) for each in parameters.segments])
    rate = float(shares @ ordered / shares.sum())
    noise = {
        "touchpoint": parameters.noise[0],
        "step": "order",
        "base": "product_page",
        "prevalence_rate": parameters.noise[1],
        "step_with_rate": rate,
        "step_without_rate": rate,
        "step_difference": 0.0,
        "odds_ratio": 1.0,
        "order_difference": 0.0,
    }
    return pd.DataFrame([*rows, noise])


def _there(parameters: ShopParameters, segment: Segment, step: str) -> float:
    """Share of customers whose first attempt comes to where the friction is."""
    looks = segment.share * consider_rate(parameters, segment, first=True) * (1 - segment.lessons - segment.store)
    return looks if step == "cart" else looks * step_rate(parameters, segment, "cart") * segment.checkout


def _order_rate(parameters: ShopParameters, segment: Segment) -> float:
    """Probability of an order in an attempt in which a product is looked at."""
    web = step_rate(parameters, segment, "cart") * segment.checkout * step_rate(parameters, segment, "order")
    return (1 - segment.lessons - segment.store) * web + segment.store * segment.store_order


def satisfaction_table(parameters: ShopParameters) -> pd.DataFrame:
    """Expected NPS and CSAT by the punctuality of the delivery."""
    rows = []
    for band in parameters.punctuality:
        nps = score_weights(band.nps, parameters.nps_sd, 0, 10)
        csat = score_weights(band.csat, parameters.csat_sd, 1, 5)
        days = [day for day, _ in band.days]
        rows.append(
            {
                "punctuality": band.name,
                "days_late_low": min(days),
                "days_late_high": max(days),
                "delivery_rate": sum(share for _, share in band.days),
                "nps": 100 * float(nps[9:].sum() - nps[:7].sum()),
                "promoter_rate": float(nps[9:].sum()),
                "detractor_rate": float(nps[:7].sum()),
                "csat_rate": float(csat[3:].sum()),
                "csat_mean": float(csat @ np.arange(1, 6)),
            }
        )
    return pd.DataFrame(rows)
