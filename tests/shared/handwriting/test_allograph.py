"""Allographs: the notation, the curves, and every form of every label."""

from __future__ import annotations

import numpy as np
import pytest

from shared.handwriting import ALLOGRAPHS, render_strokes
from shared.handwriting.allograph import Allograph, allograph
from shared.labels import ALGEBRA

FORMS = [(label, form) for label, forms in ALLOGRAPHS.items() for form in forms]


def test_every_algebra_label_can_be_written() -> None:
    """The catalogue has the labels of the algebra set, and more than one form of each."""
    assert set(ALGEBRA) <= set(ALLOGRAPHS)
    assert all(len(forms) > 1 for forms in ALLOGRAPHS.values())


@pytest.mark.parametrize(("label", "form"), FORMS, ids=[f"{label}-{form.name}" for label, form in FORMS])
def test_every_form_draws_ink(label: str, form: Allograph) -> None:
    """Each form, in each variant and each kind of curve, puts every one of its strokes on the sample."""
    for points in form.shapes:
        for basis in (form.smooth, form.angular, form.soft):
            path = basis @ points
            assert len(path) == form.path_slices[-1].stop
            image = render_strokes([path[piece] for piece in form.path_slices], ink_width_px=1.5)
            assert image.max() > 150
            fewer = [path[piece] for piece in form.path_slices[:-1]]
            if fewer:
                assert not np.array_equal(render_strokes(fewer, ink_width_px=1.5), image)


def test_names_of_forms_are_unique() -> None:
    """No label has two forms of one name."""
    for forms in ALLOGRAPHS.values():
        assert len({form.name for form in forms}) == len(forms)


def test_the_curve_passes_through_ends_and_corners() -> None:
    """The smooth curve meets its corners; the soft one cuts them and keeps the ends."""
    form = allograph("hook", 1.0, "0,0 50,0! 50,60 40,90")
    smooth, soft = form.smooth @ form.shapes[0], form.soft @ form.shapes[0]
    corner = np.array([50.0, 0.0])
    assert np.hypot(*(smooth - corner).T).min() < 1e-9
    assert np.hypot(*(soft - corner).T).min() > 1.0
    for path in (smooth, soft):
        assert path[0] == pytest.approx([0.0, 0.0])
        assert path[-1] == pytest.approx([40.0, 90.0])


def test_moving_the_points_moves_the_path_alike() -> None:
    """A basis takes a shift of all control points to the same shift of the path."""
    form = ALLOGRAPHS["8"][0]
    shift = np.array([3.0, -7.0])
    for basis in (form.smooth, form.angular, form.soft):
        assert basis @ (form.shapes[0] + shift) == pytest.approx(basis @ form.shapes[0] + shift)


def test_the_notation_names_loops_corners_and_lifts() -> None:
    """``@`` marks a loop, ``!`` a corner, and ``|`` lifts the pen."""
    form = allograph("both", 1.0, "@ 0,0 9,0! 9,9 0,0 | 1,1 2,2.5")
    assert [(plan.count, plan.corners, plan.loop) for plan in form.plans] == [(4, (1,), True), (2, (), False)]
    assert form.shapes[0, 5].tolist() == [2.0, 2.5]


def test_a_variant_needs_the_same_points() -> None:
    """A variant with other numbers of points is refused by the name of its form."""
    with pytest.raises(ValueError, match="'bent'"):
        allograph("bent", 1.0, "0,0 1,1 2,2", "0,0 1,1")
