"""Generated sets: where their points lie and what noise does, as statistics."""

from __future__ import annotations

import numpy as np
import pytest

from nnlab.data.frames import FloatArray
from nnlab.data.generators import GENERATORS, generate


def build_points(
    key: str, noise: float = 0.0, rows: int = 20_000, seed: int = 3
) -> tuple[FloatArray, FloatArray]:
    table = generate(key, rows=rows, noise=noise, seed=seed)
    return table.frame.values, table.y


@pytest.mark.parametrize("key", GENERATORS)
def test_equal_seeds_give_equal_points(key: str) -> None:
    first, second, other = (generate(key, noise=0.2, seed=seed).version() for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize("key", GENERATORS)
@pytest.mark.parametrize("rows", [20, 21])
def test_any_number_of_rows_can_be_made(key: str, rows: int) -> None:
    x, y = build_points(key, 0.5, rows)
    assert x.shape == (rows, 2)
    assert np.isfinite(x).all()
    if GENERATORS[key].task == "binary":
        assert set(y) == {0.0, 1.0}


def test_default_rows_are_the_playgrounds() -> None:
    assert generate("xor").frame.rows == 500
    assert generate("reg-plane").frame.rows == 1200


def test_the_circle_is_a_disc_inside_a_ring() -> None:
    x, y = build_points("circle")
    radius = np.hypot(*x.T)
    assert radius[y == 1].max() < 2.5
    assert radius[y == 0].min() >= 3.5
    assert y.mean() == 0.5
    # Uniform in the radius, not in the area.
    assert radius[y == 1].mean() == pytest.approx(1.25, abs=0.03)
    assert radius[y == 0].mean() == pytest.approx(4.25, abs=0.03)


def test_circle_noise_flips_labels_and_leaves_points() -> None:
    clean, _ = build_points("circle")
    noisy, y = build_points("circle", 0.5)
    np.testing.assert_array_equal(clean, noisy)
    flipped = (np.hypot(*noisy.T) < 2.5) != (y == 1)
    assert 0.2 < flipped.mean() < 0.3


def test_circle_labels_flip_near_the_border_only() -> None:
    x, y = build_points("circle", 0.1)
    radius = np.hypot(*x.T)
    reach = 5 * 0.1 * np.sqrt(2)
    np.testing.assert_array_equal(y[radius < 2.5 - reach], 1)
    np.testing.assert_array_equal(y[radius > 2.5 + reach], 0)
    assert set(y[(radius > 2.5 - reach) & (radius < 2.5)]) == {0.0, 1.0}


def test_xor_keeps_off_the_axes_and_noise_flips_labels() -> None:
    x, y = build_points("xor")
    assert np.abs(x).min() >= 0.3
    assert np.abs(x).max() <= 5.3
    np.testing.assert_array_equal(y == 1, x[:, 0] * x[:, 1] > 0)
    noisy, y_noisy = build_points("xor", 0.3)
    np.testing.assert_array_equal(x, noisy)
    assert 0.05 < np.mean(y_noisy != y) < 0.25


@pytest.mark.parametrize(("noise", "variance"), [(0.0, 0.5), (0.25, 2.25), (0.5, 4.0)])
def test_gauss_noise_widens_both_clouds(noise: float, variance: float) -> None:
    x, y = build_points("gauss", noise)
    for label, centre in ((1, 2.0), (0, -2.0)):
        cloud = x[y == label]
        np.testing.assert_allclose(cloud.mean(axis=0), centre, atol=0.08)
        np.testing.assert_allclose(cloud.var(axis=0), variance, rtol=0.05)


def test_spiral_arms_mirror_each_other() -> None:
    x, y = build_points("spiral", rows=500)
    np.testing.assert_allclose(x[y == 1], -x[y == 0], atol=1e-12)
    np.testing.assert_allclose(np.hypot(*x[y == 1].T), 5 * np.arange(250) / 250, atol=1e-12)
    turn = np.unwrap(np.arctan2(x[y == 1][1:, 0], x[y == 1][1:, 1]))
    assert turn[-1] - turn[0] == pytest.approx(1.75 * 2 * np.pi * 248 / 250)
    moved = np.abs(build_points("spiral", 0.5, rows=500)[0] - x)
    assert 0.45 < moved.max() <= 0.5


def test_moons_are_half_circles_of_radius_one() -> None:
    x, y = build_points("moons", rows=400)
    np.testing.assert_allclose(np.hypot(*x[y == 0].T), 1)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1)
    noisy, _ = build_points("moons", 0.2, rows=20_000)
    clean, _ = build_points("moons", rows=20_000)
    assert (noisy - clean).std() == pytest.approx(0.2, rel=0.03)


def test_the_plane_is_a_tenth_of_the_sum() -> None:
    x, y = build_points("reg-plane")
    np.testing.assert_allclose(y, x.sum(axis=1) / 10)
    assert np.abs(x).max() <= 6
    noisy = build_points("reg-plane", 0.5)[1]
    # Two uniform numbers of width 12 * 0.5, over 10.
    assert (noisy - y).std() == pytest.approx(np.sqrt(2 * 6**2 / 12) / 10, rel=0.03)


def test_reg_gauss_has_six_cones_of_alternating_sign() -> None:
    x, y = build_points("reg-gauss")
    for centre, sign in (
        ((-4, 2.5), 1),
        ((0, 2.5), -1),
        ((4, 2.5), 1),
        ((-4, -2.5), -1),
        ((0, -2.5), 1),
        ((4, -2.5), -1),
    ):
        distance = np.hypot(*(x - centre).T)
        near = distance < 1.9
        np.testing.assert_allclose(y[near], sign * (1 - distance[near] / 2))
    assert y.min() >= -1
    assert y.max() <= 1
    assert np.mean(y == 0) == pytest.approx(1 - 6 * np.pi * 4 / 144, abs=0.02)
