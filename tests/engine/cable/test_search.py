"""The search for the size of a path, against a path that takes everything up to a size, and loses some of it."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.cable.line import MTUS
from labctl.engine.cable.search import PROBES, SURE, Search

LADDER = tuple(min(mtu - 28, 65507) for mtu in MTUS)
ROUNDS = 1 + 5 + SURE
"""The ladder, five that divide by nine the 32739 bytes between its two largest steps, and those that make sure."""

sizes = st.integers(LADDER[-1], LADDER[0])


def begun(arrives: int = 0) -> Search:
    search = Search(LADDER)
    search.begin(arrives)
    return search


def rounds(search: Search, largest: int, lost: Iterator[bool] | None = None) -> list[tuple[list[int], list[int]]]:
    """Go through a search. Return what was tried in each round, and what of it has arrived."""
    found: list[tuple[list[int], list[int]]] = []
    while search.open:
        tried = search.round()
        arrived = [size for size in tried if size <= largest and not (lost and next(lost, False))]
        found.append((tried, arrived))
        search.answered(max((size for _, each in found for size in each), default=0))
    return found


def largest_of(found: list[tuple[list[int], list[int]]]) -> int:
    return max((size for _, arrived in found for size in arrived), default=0)


@given(sizes)
def test_any_size_is_found_exactly_in_few_rounds(largest: int) -> None:
    found = rounds(begun(), largest)
    assert largest_of(found) == largest
    assert len(found) <= ROUNDS
    assert sum(len(tried) for tried, _ in found) <= len(LADDER) + 5 * PROBES + SURE


@given(sizes, sizes)
def test_a_search_from_a_size_that_arrives_finds_what_is_above_it(one: int, other: int) -> None:
    arrives, largest = sorted((one, other))
    found = rounds(begun(arrives), largest)
    assert max(arrives, largest_of(found)) == largest
    assert all(size > arrives for tried, _ in found for size in tried)


@given(sizes)
def test_a_path_that_has_not_changed_is_tried_with_little(largest: int) -> None:
    assert len(rounds(begun(largest), largest)) <= SURE


@given(sizes, st.lists(st.booleans(), max_size=300))
def test_what_is_lost_makes_a_search_longer_and_not_wrong(largest: int, lost: list[bool]) -> None:
    """Unless as many are lost in a row as make it sure, and then the size found is one that arrives."""
    found = rounds(begun(), largest, iter(lost))
    result = largest_of(found)
    assert result <= largest
    if result < largest:
        assert all(result + 1 in tried and not arrived for tried, arrived in found[-SURE:])


@given(st.integers(0, LADDER[-1] - 1))
def test_below_the_smallest_nothing_is_searched(largest: int) -> None:
    found = rounds(begun(), largest)
    assert largest_of(found) == 0 and len(found) <= SURE


@given(st.integers(0, 65507), st.lists(st.integers(0, 1 << 17), max_size=30))
def test_any_answers_are_taken_and_sizes_are_in_order(arrives: int, answers: list[int]) -> None:
    search = begun(arrives)
    for answer in answers:
        tried = search.round()
        assert tried == sorted(set(tried), reverse=True) and bool(tried) == search.open
        assert all(LADDER[-1] <= size <= LADDER[0] for size in tried)
        search.answered(answer)
