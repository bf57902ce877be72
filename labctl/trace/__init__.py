"""The way of a packet as it was seen: frames read as headers, and the sightings of one packet put together."""
