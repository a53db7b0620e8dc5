"""Who may be in a fleet: its certificate authority, its devices' identities, and what its broker needs."""

from __future__ import annotations

from deploy.enrolment.fleet_folder import FleetFolder

__all__ = ["FleetFolder"]
