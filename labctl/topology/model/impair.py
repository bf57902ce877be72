"""What packets suffer, in the words of tc-netem(8)."""

from __future__ import annotations

from pydantic import Field, model_validator

from labctl.engine.packets.impairment import Impairment
from labctl.topology.fields import Corrupt, Delay, Duplicate, Jitter, Loss, Rate, Reorder, Seed
from labctl.topology.model.base import Model
from labctl.topology.values import mistake


class Impair(Model):
    """What packets suffer, in the words of tc netem."""

    delay: Delay | None = Field(None, description="How long every packet takes.")
    jitter: Jitter | None = Field(None, description="How far the delay varies, both ways; order stays.")
    loss: Loss | None = Field(None, description="The fraction that never arrives.")
    duplicate: Duplicate | None = Field(None, description="The fraction that arrives twice.")
    corrupt: Corrupt | None = Field(None, description="The fraction with one bit flipped behind the IP header.")
    reorder: Reorder | None = Field(None, description="The fraction that skips the delay and so overtakes.")
    rate: Rate | None = Field(None, description="Bits per second that the link carries.")
    seed: Seed | None = Field(None, description="Same seed, same packets: the same are lost.")

    @model_validator(mode="after")
    def _fits_together(self) -> Impair:
        try:
            _ = self.impairment
        except ValueError as error:
            raise mistake(str(error)) from None
        return self

    @property
    def impairment(self) -> Impairment:
        """Return the numbers that are written here."""
        return Impairment.from_dict({word: value for word, value in self if value is not None})
