"""The live page of a lab: what of it changes is worked out here, and sent to browsers over HTTP; nothing of its own."""
