"""The story of a lab: up, verify, status, down."""
