"""The process itself and others: fork, signals, descriptors, titles, waiting, logs with a cap, and the disk."""
