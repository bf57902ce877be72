"""How many lines each section of a screen gets; pure.

Every section that has something to say gets its title and a first line, as far as the screen goes; what is left is
shared, a line each in turn, among those that have more. So a long one never takes all, and a short screen shows the
beginning of each.
"""

from __future__ import annotations

from collections.abc import Sequence


def shares(wanted: Sequence[int], height: int) -> list[int]:
    """Return the lines of each section, of as many as it wants, so that all together fit into the height."""
    given = [0] * len(wanted)
    left = height
    for least in (2, 3):
        for number, want in enumerate(wanted):
            more = min(want, least) - given[number]
            if 0 < more <= left:
                given[number] += more
                left -= more
    while left > 0:
        hungry = [number for number, want in enumerate(wanted) if 0 < given[number] < want]
        if not hungry:
            break
        for number in hungry[:left]:
            given[number] += 1
        left -= min(left, len(hungry))
    return given
