"""Pictures of labs."""
