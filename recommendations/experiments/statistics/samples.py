"""What one arm's visitors say of one metric: their number, the mean, and the variance of one visitor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One arm and one metric.

    Attributes
    ----------
    n : float64
        Visitors.
    mean : float64
        Of a visitor; 0 without any.
    variance : float64
        Of a visitor, not of the mean; 0 where fewer than two are known.
    base : float64
        The mean before any adjustment, by which differences are divided that are given in per cent.
    """

    n: Values
    mean: Values
    variance: Values
    base: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over the visitors of one arm of two figures of each, such as clicks and impressions.

    Attributes
    ----------
    n, total, squares : float64
        Visitors; the sum of the first figure; the sum of its squares.
    other, other_squares, products : float64
        The same of the second figure, and the sum of the products of both.
    """

    n: Values
    total: Values
    squares: Values
    other: Values
    other_squares: Values
    products: Values

    @classmethod
    def of(
        cls,
        n: ArrayLike,
        total: ArrayLike,
        squares: ArrayLike,
        other: ArrayLike = 0.0,
        other_squares: ArrayLike = 0.0,
        products: ArrayLike = 0.0,
    ) -> Sums:
        """Return sums as arrays of float64."""
        parts = (np.asarray(part, np.float64) for part in (n, total, squares, other, other_squares, products))
        return cls(**dict(zip(cls.__slots__, parts, strict=True)))

    @classmethod
    def of_visitors(cls, values: ArrayLike, others: ArrayLike = 0.0) -> Sums:
        """Return the sums of visitors that are given one by one; shape (n,)."""
        first = np.asarray(values, np.float64)
        second = np.broadcast_to(np.asarray(others, np.float64), first.shape)
        return cls.of(
            first.size, first.sum(), (first**2).sum(), second.sum(), (second**2).sum(), (first * second).sum()
        )


def of_mean(n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> Sample:
    """Return the sample of a figure of each visitor, with the unbiased variance.

    Parameters
    ----------
    n, total, squares : array_like
        Visitors, the sum of the figure and the sum of its squares.
    """
    sums = Sums.of(n, total, squares)
    mean = _divided(sums.total, sums.n)
    return Sample(n=sums.n, mean=mean, variance=_covariance(sums.n, sums.total, sums.total, sums.squares), base=mean)


def of_share(n: ArrayLike, total: ArrayLike) -> Sample:
    """Return the sample of what a visitor did or did not, such as buying: the variance is ``p (1 - p)``."""
    count, sums = np.asarray(n, np.float64), np.asarray(total, np.float64)
    share = _divided(sums, count)
    return Sample(n=count, mean=share, variance=share * (1.0 - share), base=share)


def of_ratio(sums: Sums) -> Sample:
    """Return the sample of a ratio of two sums, such as clicks by impressions, whose visitors are the units.

    The variance is that of the delta method: impressions of one visitor are not independent of each other, so that they
    must not be counted as if each were a visitor.

    References
    ----------
    Deng, Knoblich & Lu, "Applying the Delta Method in Metric Analytics", KDD 2018, section 3.1.
    """
    first = _covariance(sums.n, sums.total, sums.total, sums.squares)
    second = _covariance(sums.n, sums.other, sums.other, sums.other_squares)
    both = _covariance(sums.n, sums.total, sums.other, sums.products)
    mean, divisor = _divided(sums.total, sums.n), _divided(sums.other, sums.n)
    variance = (
        _divided(first, divisor**2) - 2.0 * _divided(both * mean, divisor**3) + _divided(mean**2 * second, divisor**4)
    )
    ratio = _divided(sums.total, sums.other)
    return Sample(n=sums.n, mean=ratio, variance=variance, base=ratio)


def with_covariate(control: Sums, treated: Sums) -> tuple[Sample, Sample]:
    """Return both samples freed of what a figure from before the experiment foretells (CUPED).

    ``other`` of the sums is that figure; what the experiment does cannot touch it. Where it does not vary, the samples
    are what they are without it. The variance is that of the mean's first figure, unbiased, as ``of_mean`` gives it.

    References
    ----------
    Deng, Xu, Kohavi & Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment
    Data", WSDM 2013, equations 4 and 5; theta is pooled over both arms, with the control's and the treated's means
    taken as one sample.
    """
    pooled = Sums(**{name: getattr(control, name) + getattr(treated, name) for name in Sums.__slots__})
    spread = _covariance(pooled.n, pooled.other, pooled.other, pooled.other_squares)
    theta = _divided(_covariance(pooled.n, pooled.total, pooled.other, pooled.products), spread)
    return _adjusted(control, theta), _adjusted(treated, theta)


def _adjusted(sums: Sums, theta: Values) -> Sample:
    base = _divided(sums.total, sums.n)
    variance = (
        _covariance(sums.n, sums.total, sums.total, sums.squares)
        + theta**2 * _covariance(sums.n, sums.other, sums.other, sums.other_squares)
        - 2.0 * theta * _covariance(sums.n, sums.total, sums.other, sums.products)
    )
    return Sample(n=sums.n, mean=base - theta * _divided(sums.other, sums.n), variance=variance, base=base)


def _covariance(n: Values, left: Values, right: Values, products: Values) -> Values:
    spread = products - _divided(left * right, n)
    return np.where(n > 1, spread / np.where(n > 1, n - 1.0, 1.0), 0.0)


def _divided(value: Values, by: Values) -> Values:
    """Return a quotient, 0 where nothing is to be divided by."""
    return np.where(by != 0, value / np.where(by != 0, by, 1.0), 0.0)
