"""What is pure: arithmetic over the bytes of packets. No socket, no clock, no operating system."""
