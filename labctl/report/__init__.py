"""What a person or a program reads of a lab. Nothing here asks the kernel."""
