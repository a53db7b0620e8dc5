"""The ways to run a fleet: the command line, the simulation, brokers and reports."""
