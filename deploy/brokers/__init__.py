"""Brokers for a fleet: the one that pip installs, Mosquitto where there is one, or one that runs already."""

from __future__ import annotations

from deploy.brokers.running import RunningBroker, probe, start_broker, start_secure_mosquitto

__all__ = ["RunningBroker", "probe", "start_broker", "start_secure_mosquitto"]
