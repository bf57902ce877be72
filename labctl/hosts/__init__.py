"""Other machines on which parts of a lab are: how they are reached, and what is kept of that here."""
