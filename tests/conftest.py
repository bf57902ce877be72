"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is the machine's business: other tests run beside it. Each run draws other examples.
settings.register_profile("labctl", deadline=None, max_examples=50)
settings.load_profile("labctl")
