"""Into which parts a lab falls that no cable joins, and how the cards of each are arranged best.

A part is arranged in several ways: in more or fewer columns, and beginning at one card or another. That one is taken
which has the fewest crossings, the straightest cables, and fits a screen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from labctl.report.graph.cards import Card
from labctl.report.graph.columns import LEVELS, Joined, columns, nearest_first
from labctl.report.graph.legs import Inside
from labctl.report.graph.model import Cable, Picture
from labctl.report.graph.order import CARDS_APART
from labctl.report.graph.part import Part

_SCREEN = 1.6  # width of a screen by its height
_GAP = 130.0  # between two columns, with the margins of their cards
_SWEEPS, _FINAL = 8, 3  # the best few of what was tried are looked at once more
_NEARLY = 1.1  # as good as the best: of such the narrowest is taken where there are more than a few cards
_FEW = 8  # cards, for which all numbers of columns are tried
_MANY = 40  # cards, for which less is tried: there it takes longer


def joined_parts(picture: Picture) -> Iterator[tuple[str, ...]]:
    """Yield the names of the namespaces that cables hold together, the largest part first."""
    joined = _joined([space.name for space in picture.namespaces], picture.cables)
    parts: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in joined:
        if name not in seen:
            part = {*nearest_first(joined, name)}
            seen |= part
            parts.append(tuple(other for other in joined if other in part))
    yield from sorted(parts, key=len, reverse=True)


def best(
    names: Sequence[str],
    picture: Picture,
    cards: Mapping[str, Card],
    inside: Mapping[str, Sequence[Inside]],
    pitch: float,
) -> Part:
    """Return a part in the best of some arrangements."""
    own = {name: cards[name] for name in names}
    cables = [cable for cable in picture.cables if cable.one.namespace in own and cable.other.namespace in own]
    tried = dict.fromkeys(tuple(choice.items()) for choice in _choices(own, _joined(names, cables)))
    parts = sorted((Part(own, cables, dict(choice), inside, pitch) for choice in tried), key=lambda part: part.cost)
    last = [part.arrange(_SWEEPS) for part in parts[:_FINAL]]
    limit = min(part.cost for part in last) * (_NEARLY if len(own) > _FEW else 1)
    return min((part for part in last if part.cost <= limit), key=lambda part: (part.width, part.cost))


def _choices(cards: Mapping[str, Card], joined: Joined) -> Iterator[dict[str, int]]:
    """Yield ways to put cards into columns: by their number, the card at which to begin, and how level they are."""
    first = next(iter(cards))
    ends = (first, nearest_first(joined, first)[-1], max(cards, key=lambda name: sum(joined[name].values())))
    heights = {name: card.height + CARDS_APART for name, card in cards.items()}
    for number, root, level in product(
        _numbers(cards), dict.fromkeys(ends), LEVELS if len(cards) <= _MANY else LEVELS[:1]
    ):
        for start in dict.fromkeys((0, (number - 1) // 2)):
            chosen = columns(heights, joined, root, number, start, level)
            last = max(chosen.values())
            turned = chosen[first] > last / 2  # what stands first in the file stands on the left
            yield {name: last - at for name, at in chosen.items()} if turned else chosen


def _numbers(cards: Mapping[str, Card]) -> Iterable[int]:
    """Return how many columns are tried."""
    if len(cards) <= _FEW:
        return range(1 if len(cards) == 1 else 2, len(cards) + 1)
    wide = max(card.width for card in cards.values()) + _GAP
    area = sum((card.height + CARDS_APART) * wide for card in cards.values())
    ideal = math.sqrt(area * _SCREEN) / wide
    nearest = (0.8, 1.1) if len(cards) > _MANY else (0.6, 0.8, 1, 1.2, 1.4)
    return sorted({max(2, round(ideal * part)) for part in nearest})


def _joined(names: Iterable[str], cables: Iterable[Cable]) -> Joined:
    joined: dict[str, Counter[str]] = {name: Counter() for name in names}
    for cable in cables:
        one, other = cable.one.namespace, cable.other.namespace
        if one != other:
            joined[one][other] += 1
            joined[other][one] += 1
    return joined
