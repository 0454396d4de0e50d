"""Means and intervals, against hand-computed numbers and scipy's tests."""

import random

import pytest
from scipy import stats

from zoo.comparison import Estimate, estimate, paired


def test_by_hand() -> None:
    # mean 4, deviations -2 0 2, variance 8 / 2; with two degrees of freedom t has a closed form
    found = estimate([2.0, 4.0, 6.0])
    assert (found.mean, found.n, found.sd) == (4.0, 3, 2.0)
    reach = 0.95 * (2 / (4 * 0.975 * 0.025)) ** 0.5 * 2 / 3**0.5
    assert (found.low, found.high) == pytest.approx((4 - reach, 4 + reach), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_the_interval_is_scipys(n: int) -> None:
    draw = random.Random(n)
    values = [draw.gauss(0.9, 0.02) for _ in range(n)]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-10)
    assert found.sd == pytest.approx(stats.tstd(values), rel=1e-12)


@pytest.mark.parametrize("n", [2, 5, 12])
def test_the_paired_difference_is_scipys(n: int) -> None:
    draw = random.Random(n)
    a = {seed: draw.gauss(0.9, 0.02) for seed in range(n)}
    b = {seed: a[seed] + draw.gauss(0.01, 0.005) for seed in range(n)}
    expected = stats.ttest_rel(list(a.values()), list(b.values())).confidence_interval(0.95)
    found = paired(a, b)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-10)
    assert found.n == n


def test_only_seeds_that_both_have_are_paired() -> None:
    found = paired({0: 1.0, 1: 3.0, 7: 100.0}, {1: 2.0, 0: 1.5, 8: -100.0})
    assert found is not None
    assert (found.n, found.mean) == (2, pytest.approx(0.25))
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_one_value_has_no_interval() -> None:
    assert estimate([0.5]) == Estimate(0.5, 1, None, None, None)


def test_values_that_do_not_vary() -> None:
    assert estimate([0.1] * 3) == Estimate(0.1, 3, 0.0, 0.1, 0.1)
