"""What each call does for a lab over several hosts: work that is sent to them, and their answers as one."""
