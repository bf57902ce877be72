"""Why a packet did not arrive, and how that is known."""
