"""The cables of a lab over several hosts, as one host sees them: joined with their other ends, and shown."""
