"""The device: keeps a writer's samples, trains on them, and publishes weights, never pictures."""
