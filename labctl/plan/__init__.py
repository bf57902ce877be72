"""What has to be done: a pure function from what is desired and what is observed to a list of steps."""
