"""How well a reader reads: what it read in pictures whose truth is known, counted.

A label file says what is written; readings are aligned with it, line by line and token by token, and symbol boxes one
by one; the counts add up to a score. Nothing here looks at pixels: ``deploy.reading`` reads, this package judges.
"""

from deploy.reading_score.outcome import Outcome, judge
from deploy.reading_score.score import Score, add_up
from deploy.reading_score.truth_file import NOTHING, Truth, TruthSymbol, read_truths

__all__ = ["NOTHING", "Outcome", "Score", "Truth", "TruthSymbol", "add_up", "judge", "read_truths"]
