"""What packets suffer, in the words of tc-netem(8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.engine.packets.impairment import Impairment
from labctl.topology.model.base import Model, key
from labctl.topology.values import mistake

if TYPE_CHECKING:
    from labctl.topology.fields import Corrupt, Delay, Duplicate, Jitter, Loss, Rate, Reorder, Seed


class Impair(Model, called="an impairment"):
    """What packets suffer, in the words of tc netem."""

    delay: Delay | None = key(default=None, description="How long every packet takes.")
    jitter: Jitter | None = key(default=None, description="How far the delay varies, both ways; order stays.")
    loss: Loss | None = key(default=None, description="The fraction that never arrives.")
    duplicate: Duplicate | None = key(default=None, description="The fraction that arrives twice.")
    corrupt: Corrupt | None = key(default=None, description="The fraction with one bit flipped behind the IP header.")
    reorder: Reorder | None = key(default=None, description="The fraction that skips the delay and so overtakes.")
    rate: Rate | None = key(default=None, description="Bits per second that the link carries.")
    seed: Seed | None = key(default=None, description="Same seed, same packets: the same are lost.")

    def __post_init__(self) -> None:
        try:
            _ = self.impairment
        except ValueError as error:
            raise mistake(str(error)) from None

    @property
    def impairment(self) -> Impairment:
        """Return the numbers that are written here."""
        return Impairment.from_dict({word: value for word, value in vars(self).items() if value is not None})
