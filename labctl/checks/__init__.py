"""What must be observed, and the proof by packet counts."""
