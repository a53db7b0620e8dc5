"""Reading a camera as it runs: the newest frame, a reading that does not flicker, and the picture of it."""

from edge_client.live.frame import LiveFrame, say_weights
from edge_client.live.reader import LiveReader

__all__ = ["LiveFrame", "LiveReader", "say_weights"]
