"""The server of a fleet: invites devices to rounds, averages what they learnt, and broadcasts the result."""
