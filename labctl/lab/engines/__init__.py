"""The engines of a lab: what starts them, what their processes do, and what they show of themselves."""
