"""The event loop of an endpoint, and what it waits for besides packets: signals, a timer, changes of the network."""
