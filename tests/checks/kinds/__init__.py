"""What each kind of check concludes from what it has seen."""
