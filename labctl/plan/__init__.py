"""What has to be done: a pure function from what is wanted and what is there to a list of steps."""
