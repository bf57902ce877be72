"""The programs of the machine that make a probe, each recognised and parsed."""
