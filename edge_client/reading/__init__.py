"""From ink to lines of symbols: what belongs together, what it is, and how it is laid out."""

from edge_client.reading.edit import split
from edge_client.reading.recent import RecentlyRead
from edge_client.reading.recogniser import Recogniser
from edge_client.reading.result import Line, Reading, Symbol

__all__ = ["Line", "Reading", "RecentlyRead", "Recogniser", "Symbol", "split"]
