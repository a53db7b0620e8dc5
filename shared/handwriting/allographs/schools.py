"""The schools of writing: habits of form that go together."""

from __future__ import annotations

CONTINENTAL = "continental"
"""The school of the flagged one and the barred seven and z."""

ANGLO = "anglo"
"""The school of the bare one and the plain seven."""
