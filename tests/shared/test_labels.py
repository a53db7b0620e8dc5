"""Labels, their spellings and the sets of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataError, SettingsError
from shared.labels import ALGEBRA, ALL, ARITHMETIC, LABEL_SETS, LabelSet, canonical_label, label_set


def test_the_sets_are_those_of_the_design() -> None:
    """Arithmetic has 17 classes, algebra adds 7, and each set begins with the smaller one."""
    assert (len(ARITHMETIC), len(ALGEBRA)) == (17, 24)
    assert ALGEBRA[:17] == ARITHMETIC
    assert ALL[:24] == ALGEBRA
    assert {name: len(labels) for name, labels in LABEL_SETS.items()} == {
        "arithmetic": 17,
        "algebra": 24,
        "all": len(set(ALL)),
    }


@pytest.mark.parametrize("label", ALL)
def test_a_label_is_its_own_spelling(label: str) -> None:
    """No spelling stands in the way of a label: each is itself."""
    assert canonical_label(label) == label


@given(st.text(max_size=20))
def test_a_canonical_label_is_canonical(spelling: str) -> None:
    """Whatever the spelling, asking twice changes nothing more."""
    once = canonical_label(spelling)
    assert canonical_label(once) == once


@pytest.mark.parametrize(
    ("spelling", "label"),
    [
        ("\\times", "times"), ("×", "times"), ("multiplication_cross", "times"), ("\\div", "div"), ("÷", "div"),
        ("division_obelus", "div"), ("/", "forward_slash"), ("slash", "forward_slash"), ("<", "lt"), ("\\lt", "lt"),
        ("\\leq", "leq"), ("|", "ascii_124"), ("\\{", "{"), ("\\alpha", "alpha"), ("\\sqrt", "sqrt"), (" 7 ", "7"),
        ("minus", "-"), ("plus", "+"), ("X", "X"), ("\\cdot", "cdot"), ("my own class", "my own class"), ("COMMA", ","),
    ],
)  # fmt: skip
def test_spellings_of_the_public_sets_are_known(spelling: str, label: str) -> None:
    """LaTeX, Unicode and words come out as the label; a user's own class keeps its name."""
    assert canonical_label(spelling) == label


@given(st.lists(st.sampled_from(ALL)))
def test_decoding_undoes_encoding(labels: list[str]) -> None:
    """Class indices and labels are one to one, ``int32``, within the set."""
    every = label_set("all")
    codes = every.encode(labels)
    assert codes.dtype == np.int32
    assert every.decode(codes) == labels
    assert all(0 <= code < len(every) for code in codes)


def test_a_label_outside_the_set_is_named() -> None:
    """Encoding an unknown label is a data error that names the label and the set."""
    with pytest.raises(DataError, match=r"'x'.*'arithmetic'"):
        label_set("arithmetic").encode(["1", "x"])


def test_an_unknown_set_lists_those_there_are() -> None:
    """Asking for a set that does not exist names the three that do."""
    with pytest.raises(SettingsError, match="arithmetic, algebra, all"):
        label_set("greek")


@pytest.mark.parametrize("labels", [(), ("1", "2", "1")])
def test_a_set_has_each_class_once(labels: tuple[str, ...]) -> None:
    """An empty set, or a class named twice, is refused."""
    with pytest.raises(SettingsError):
        LabelSet("mine", labels)
