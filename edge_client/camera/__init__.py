"""Where frames come from: cameras, video files, folders of pictures, network streams."""

from edge_client.camera.frame import Frame
from edge_client.camera.opening import open_source
from edge_client.camera.source import Source

__all__ = ["Frame", "Source", "open_source"]
