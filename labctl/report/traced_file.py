"""What a trace saw as a file, each frame with the number of its packet and what became of it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from labctl.report.capture_file import capture_file
from labctl.trace.ladder import Ladder
from labctl.trace.sightings import Sighting

if TYPE_CHECKING:
    from labctl.lab.traced import Traced


def write(path: str, out: Callable[[bytes], None], found: Traced) -> None:
    """Write all frames of a trace to a file that was created. Raise LabError."""
    comments: dict[int, list[str]] = {}
    for ladder in found.ladders:
        for sighting, words in _told(ladder):
            comments.setdefault(id(sighting.seen), []).append(words)
    writer = capture_file(path, out, found.lab, found.carriers)
    for seen in found.seen:
        writer.packet(seen, "; ".join(comments.get(id(seen), ())))


def _told(ladder: Ladder) -> Iterator[tuple[Sighting, str]]:
    """Yield each sighting of a packet with what its rung says; the last one also with how it ended."""
    seen = [rung for rung in ladder.rungs if rung.at is not None]
    for rung, passage in zip(seen, ladder.journey.passages, strict=True):
        for sighting in passage:
            words = f"packet {ladder.number} {rung.hop}{f' by {rung.words}' if rung.words else ''}"
            ending = ladder.rungs[-1]
            if rung is seen[-1] and ending is not rung:
                words += f", {ending.hop}: {ending.words}"
            yield sighting, words
