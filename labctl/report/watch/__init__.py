"""A running lab on a terminal: what it shows is worked out from the model alone, and fits any size."""
