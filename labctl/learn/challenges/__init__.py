"""Challenges: faults that are hidden in a lab, the symptoms that are told of them, hints, and the answer."""
