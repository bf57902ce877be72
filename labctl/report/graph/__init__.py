"""Pictures of a lab: of its file, or of what runs."""
