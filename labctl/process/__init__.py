"""This process and others: fork, signals, descriptors, titles, pidfds, logs with a cap, and the disk."""
