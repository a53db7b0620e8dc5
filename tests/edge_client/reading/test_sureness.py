"""How sure a symbol is, with its context."""

from __future__ import annotations

import numpy as np
import pytest

from edge_client.reading.element import Candidate
from edge_client.reading.layout import LineInk, in_reading_order, lay_out
from edge_client.reading.sureness import Shares, sureness
from edge_client.vision.ink import InkPart

LABELS = ("7", "8", "1", "(", "forward_slash", "x", "times", "+")
EM = 100.0


def sure(
    *looks: dict[str, float], sizes: tuple[tuple[int, int], ...], said: dict[int, str] | None = None
) -> list[tuple[str, Shares]]:
    """Read symbols on one line that look as likely as is said, each ``(width, height)`` pixels; sum up how sure."""
    inks, x = [], 0
    for width, height in sizes:
        inks.append(InkPart(np.full((height, width), 255, np.uint8), x, 50 - height // 2))
        x += width + 30
    found = []
    for i, (ink, look) in enumerate(zip(inks, looks, strict=True)):
        rest = (1 - sum(look.values())) / (len(LABELS) - len(look))
        logits = np.log([look.get(label, rest) for label in LABELS]).astype(np.float32)
        found.append(Candidate(1 << i, ink, 0.0, 1, logits=logits))
    line = LineInk(inks, frozenset(1 << i for i in range(len(inks))), found, EM, LABELS, said or {})
    path = lay_out(line)
    labels = [step.choice.label for step in in_reading_order(path)]
    return list(zip(labels, sureness(path, labels=LABELS, em=EM), strict=True))


DIGIT, CROSS = (60, 100), (64, 64)
EIGHT = {"8": 0.99}


def test_a_cross_between_digits_is_surely_times_although_it_looks_like_x() -> None:
    label, shares = sure(EIGHT, {"x": 0.55, "times": 0.42}, EIGHT, sizes=(DIGIT, CROSS, DIGIT))[1]
    assert label == "times"
    assert shares["times"] > 0.8
    assert 0.01 < shares["x"] < 0.2


def test_a_cross_before_a_plus_is_surely_x_although_it_looks_like_times() -> None:
    looks = (EIGHT, {"times": 0.78, "x": 0.21}, {"+": 0.99}, EIGHT)
    label, shares = sure(*looks, sizes=(DIGIT, (78, 78), CROSS, DIGIT))[1]
    assert label == "x"
    assert shares["x"] > 0.8


def test_what_nothing_around_tells_apart_stays_in_doubt() -> None:
    shares = sure({"7": 0.5, "8": 0.48}, sizes=(DIGIT,))[0][1]
    assert shares["7"] == pytest.approx(0.5, abs=0.2)
    assert shares["8"] == pytest.approx(0.5, abs=0.2)


def test_a_bracket_counts_with_its_partner_far_away() -> None:
    looks = ({"(": 0.6, "1": 0.38}, EIGHT, {"+": 0.99}, EIGHT, {"+": 0.99}, EIGHT)
    label, shares = sure(*looks, sizes=((30, 110), DIGIT, CROSS, DIGIT, CROSS, DIGIT))[0]
    assert label == "1"
    assert shares["1"] > 0.9


def test_the_label_is_the_likeliest_and_all_add_up_to_one() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        looks = [
            {str(label): float(p) for label, p in zip(LABELS, rng.dirichlet([0.3] * 8) * 0.98 + 0.0025, strict=True)}
            for _ in range(6)
        ]
        for label, shares in sure(*[dict(list(look.items())[:7]) for look in looks], sizes=(DIGIT,) * 6):
            assert next(iter(shares)) == label
            assert shares[label] == max(shares.values())
            assert list(shares.values()) == sorted(shares.values(), reverse=True)
            assert sum(shares.values()) == pytest.approx(1.0)
            assert set(shares) == set(LABELS)


def test_what_a_person_has_said_is_sure_and_the_others_stay_on_offer_in_their_order() -> None:
    looks = (EIGHT, {"times": 0.9, "x": 0.05, "+": 0.04}, EIGHT)
    label, shares = sure(*looks, sizes=(DIGIT, CROSS, DIGIT), said={1: "x"})[1]
    assert label == "x"
    assert shares["x"] == 1.0
    assert list(shares)[:3] == ["x", "times", "+"]


def test_what_may_be_the_only_letter_is_likelier_a_sign() -> None:
    """A cross that looks more like x is × among numbers alone, and x where there is another x."""
    cross = {"x": 0.68, "times": 0.3}
    product = (EIGHT, cross, {"(": 0.99}, EIGHT, {"+": 0.99})
    sizes = (DIGIT, CROSS, (30, 110), DIGIT, CROSS)
    label, shares = sure(*product, EIGHT, sizes=(*sizes, DIGIT))[1]
    assert label == "times"
    label, with_letter = sure(*product, {"x": 0.99}, sizes=(*sizes, (78, 78)))[1]
    assert label == "x"
    assert with_letter["x"] > 0.5 > shares["x"]
