"""What was written: YAML in, a checked model out. No kernel here."""
