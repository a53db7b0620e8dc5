"""Reading a camera as it runs: the newest frame, a reading that does not flicker, and the picture of it."""
