"""What one line's ink may be taken apart and put together to, with every candidate read by the classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_client.reading.cuts import Cutting, cut
from edge_client.reading.element import Candidate
from edge_client.reading.fractions import is_flat
from edge_client.reading.layout import log_softmax
from edge_client.reading.links import candidates
from edge_client.vision.ink import InkPart, united

Read = Callable[[Sequence[Candidate]], None]
"""Fills in the logits and samples of candidates, in one batch."""

_CUT = -2.7  # log-odds of each symbol that is only a part of its connected component: 1 in 100 of CROHME's touch
_SURE = 0.7  # a component that is read with less may be several symbols
_WIDE, _HIGH = 1.2, 1.9  # em: one that is larger may be, too
_SMALLEST = 0.7  # em: one that is smaller is not
_MOST_CUT = 24  # components of one line that are cut


@dataclass(frozen=True, eq=False)
class Segments:
    """Pieces of ink, and the sets of them that may be a symbol.

    Attributes:
        atoms: the smallest pieces.
        components: the connected components, as bit sets of atoms.
        candidates: all that may be one symbol, read.
    """

    atoms: tuple[InkPart, ...]
    components: frozenset[int]
    candidates: tuple[Candidate, ...]


def segments(parts: Sequence[InkPart], *, em: float, read: Read) -> Segments:
    """Find everything that may be a symbol among the connected components of a line.

    Args:
        parts: the components.
        em: about how high digits are, in pixels.
        read: the classifier.
    """
    found = candidates(parts, em=em)
    read(found)
    cuttings: dict[int, Cutting] = {}
    for i, ink in enumerate(parts):
        if len(cuttings) < _MOST_CUT and _may_be_several(found[i], em=em):
            cutting = cut(ink, em=em)
            if cutting is not None and cutting.groups:
                cuttings[i] = cutting
    if not cuttings:
        return Segments(tuple(parts), frozenset(1 << i for i in range(len(parts))), tuple(found))
    return _with_pieces(parts, found, cuttings, read=read)


def _may_be_several(candidate: Candidate, *, em: float) -> bool:
    ink = candidate.ink
    if max(ink.width, ink.height) < _SMALLEST * em or is_flat(ink) or candidate.logits is None:
        return False
    best = float(np.exp(log_softmax(candidate.logits).max()))
    large = ink.width > _WIDE * em or ink.height > _HIGH * em
    return best < _SURE or (large and best < 0.995)


def _with_pieces(
    parts: Sequence[InkPart], found: Sequence[Candidate], cuttings: dict[int, Cutting], *, read: Read
) -> Segments:
    atoms: list[InkPart] = []
    bits: list[int] = []
    new: list[Candidate] = []
    for i, ink in enumerate(parts):
        first = len(atoms)
        if i in cuttings:
            cutting = cuttings[i]
            atoms.extend(cutting.pieces)
            for group in cutting.groups:
                pieces = [piece for k, piece in enumerate(cutting.pieces) if group >> k & 1]
                new.append(Candidate(group << first, united(pieces), _CUT, 1))
        else:
            atoms.append(ink)
        bits.append((1 << len(atoms)) - (1 << first))
    read(new)
    kept = []
    for candidate in found:
        whole = sum(bits[i] for i in range(len(parts)) if candidate.atoms >> i & 1)
        kept.append(replace(candidate, atoms=whole))
    return Segments(tuple(atoms), frozenset(bits), (*kept, *new))
