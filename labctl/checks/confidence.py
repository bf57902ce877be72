"""How sure a number is that was measured by some trials: its confidence limits, however many trials there were.

A chance. Of n trials k had a property; what is the chance p of it? A p is given up where it makes just this k so
unlikely that

    C(n, k) p^k (1 - p)^(n - k)  <=  (1 - SURE) / (n + 1).

What is not given up is an interval around k / n. Its limits may be looked at after every trial, and trials be made
until they suffice: the chance that the true p is *ever* given up, at whatever n, is at most 1 - SURE. (The inverse of
the left side times n + 1 is a likelihood ratio, that of the mean over all p against p; it is a martingale, and Ville's
inequality bounds how often it ever exceeds 1 / (1 - SURE). Robbins, Statistical methods related to the law of the
iterated logarithm, 1970.) The limits of a fixed n alone (Clopper and Pearson, 1934) would be somewhat narrower, and
wrong far more often for one who tries until the answer suits.

A quantile. Which time is not exceeded by a fraction q of all packets? One t such that, of those measured, as many are
at most t as fit to a chance of q. So its limits are two of the measured times themselves, whatever the distribution is.

Both assume that trials are independent of each other. What loses packets in bursts makes the limits too narrow.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from labctl.frozen import frozen

SURE = 0.999
"""The chance that the limits of a number contain it, at all times at which they are looked at."""

_HALVINGS = 60


@frozen
class Limits:
    """Between which two values a number surely is; infinite where nothing limits it."""

    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high


def given_up(chance: float, times: int, trials: int) -> bool:
    """Return whether a chance is too unlikely where that which it is of came so many times in so many trials."""
    if chance <= 0 or chance >= 1:
        return times != (0 if chance <= 0 else trials)
    ways = math.lgamma(trials + 1) - math.lgamma(times + 1) - math.lgamma(trials - times + 1)
    likelihood = ways + times * math.log(chance) + (trials - times) * math.log1p(-chance)
    return likelihood <= math.log(1 - SURE) - math.log(trials + 1)


def chance(times: int, trials: int, untold: int = 0) -> Limits:
    """Return the limits of a chance: of `untold` trials it is not known whether they are among the `times`."""
    low, high = times, times + untold
    return Limits(
        _last_given_up(low, trials, 0.0, low / trials) if low else 0.0,
        _last_given_up(high, trials, 1.0, high / trials) if high < trials else 1.0,
    )


def _last_given_up(times: int, trials: int, out: float, within: float) -> float:
    """Return the chance nearest to `within` that is given up, as `out` is."""
    for _ in range(_HALVINGS):
        middle = (out + within) / 2
        if given_up(middle, times, trials):
            out = middle
        else:
            within = middle
    return out


def quantile(fraction: float, least: Sequence[float], most: Sequence[float]) -> Limits:
    """Return the limits of what a fraction of all values does not exceed.

    Each value that was measured is known to be between one of `least` and that of `most` at the same place.
    """
    trials = len(least)
    ranks = range(trials + 1)
    first = bisect_left(ranks, True, key=lambda rank: chance(rank, trials).high >= fraction)
    last = bisect_left(ranks, True, key=lambda rank: chance(rank, trials).low > fraction)
    return Limits(
        sorted(least)[first - 1] if first else -math.inf,
        sorted(most)[last - 1] if last <= trials else math.inf,
    )
