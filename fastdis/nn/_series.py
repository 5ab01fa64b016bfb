"""Band-limited waveforms at a phase of ``u`` half turns: their Fourier series, truncated.

A few terms are summed; for many, the sum has a closed form whose work does not grow with them.
Differentiated, the sums are geometric. With D(v) = 1 / (2 sin(v/2)) = 1/v + g(v) and
F(v) = integral from 0 to v of sin(N w) D(w) dw, for 0 <= v <= pi,

    sum_{h=1}^{H} sin(h x) / h             = F(x) - x/2,   N = H + 1/2,
    sum_{m=1}^{M} sin((2m-1) x) / (2m-1)   = F(2x) / 2,    N = M,
    sum_{m=1}^{M} cos((2m-1) x) / (2m-1)^2 = T - (integral of F from 0 to 2x) / 4,  N = M,

where T is the sum at x = 0. The 1/v of D gives the sine integral Si(N v); g is smooth, and by
parts gives G0 and G1, what multiplies -cos(N v) and -sin(N v).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Minimax fits of g and its first three derivatives on [0, pi], in odd or even powers of v/pi.
_G = (
    (0.13090373232528377, 0.03760431104766583, 0.010209360857013463, 0.0016264605598752804,
     0.001345870842888998),
    (0.04163356870108781, 0.03695818136085803, 0.011181344399414315, 0.011514988038545036),
    (0.024159052054602007, 0.01100656465511557, 0.025141245802390036, 0.0, 0.0),
    (0.00715679233441938, 0.02282285126829225, -5.502514990639307e-05, 0.03153638268523455),
)  # fmt: skip
# Si(x) / x in powers of x^2 up to 5; f and g (Abramowitz and Stegun 5.2.8) in those of 1/x^2
# beyond; within 1.5e-7.
_SI_UP_TO = 5.0
_SI = (0.9999998, -5.55552515e-2, 1.66653332e-3, -2.83188344e-5, 3.03608532e-7, -2.1373778e-9,
       8.36386651e-12)  # fmt: skip
_SI_F = (0.999989423, -1.99059785, 21.4412475, -364.359204, 4899.20619, -31067.7326)
_SI_G = (0.999833421, -5.89552984, 95.9296088, -1855.73159, 25279.252, -156682.405)


def direct_series(
    u: Tensor, most: int, terms: Tensor, sine: Tensor, triangle: Tensor, sawtooth: Tensor
) -> Tensor:
    """The sum of the first ``terms (B, 1)`` partials, up to ``most``, at ``u (B, T)``."""
    m = torch.arange(most, device=u.device)
    h = torch.where(sawtooth, m + 1, 2 * m + 1).double()  # (B, most): the partials' numbers
    weight = _either(sawtooth, -2 / math.pi, 4 / math.pi) / h
    weight = torch.where(triangle, -8 / (math.pi * h) ** 2, weight)
    weight = torch.where(sine, 1.0, weight).masked_fill(m >= terms, 0).float()
    scale = (math.pi * h).float()
    quarter = triangle.float() * (math.pi / 2)  # a triangle's partials are cosines
    x = u.float()
    total = torch.zeros_like(x)
    for i in range(most):
        angle = torch.addcmul(quarter, x, scale[:, i : i + 1])
        total = torch.addcmul(total, angle.sin(), weight[:, i : i + 1])
    return total


def closed_series(u: Tensor, terms: Tensor, triangle: Tensor, sawtooth: Tensor) -> Tensor:
    """The sum of the first ``terms (B, 1)`` partials, at least 12, in closed form at ``u (B, T)``.

    Triangles, sawtooths, and squares where neither is said.
    """
    n = torch.where(sawtooth, terms + 0.5, terms)
    side = _either(u < 0, -1, 1)
    magnitude = u * side  # not abs(u), which has no slope at 0, where these are steepest
    folded = 2 * torch.where(magnitude < 0.5, magnitude, 1 - magnitude)
    v = torch.where(sawtooth, magnitude, folded)  # half turns
    turns = n / 2 * v
    rest = (2 * math.pi * (turns - turns.round())).float()
    cosine, sine = rest.cos(), rest.sin()
    p = v.float()
    y = p * p
    integral = _sine_integral((math.pi * n).float() * p, cosine, sine)
    g, dg, ddg, dddg = _G
    pairs = zip(g, ddg, strict=True)
    g0 = p * _polynomial(y, [((a - b / n**2) / n).float() for a, b in pairs])
    pairs = zip(dddg, dg, strict=True)
    g1 = _polynomial(y, [((a / n**2 - b) / n**2).float() for a, b in pairs])

    scale = _either(sawtooth, -2 / math.pi, 2 / math.pi).float()
    odd = scale * (integral - cosine * g0 - sine * g1)
    odd = odd + sawtooth.float() * p  # +x/2 times 2/pi
    area = math.pi * p * integral + (cosine * (1 + 2 * g1) - sine * g0) / n.float()
    # T = pi^2/8 - (trigamma(N + 1/2) / 4), by its asymptotic series.
    top = math.pi**2 / 8 - (1 - (1 - 0.35 / n**2) / (12 * n**2)) / (4 * n)
    offset = -8 / math.pi**2 * (top + (1 - 1 / (12 * n**2)) / (4 * n))
    even = area * (2 / math.pi**2) + offset.float()
    sign = torch.where(triangle, _either(magnitude < 0.5, 1, -1), side).float()
    return sign * torch.where(triangle, even, odd)


def _either(condition: Tensor, yes: float, no: float) -> Tensor:
    """One of two numbers in float64; ``torch.where`` would make them torch's default dtype."""
    return condition.double() * (yes - no) + no


def _sine_integral(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """``Si(x)`` for ``x >= 0``, given the cosine and sine of x."""
    below = x < _SI_UP_TO
    small = x * _polynomial(torch.where(below, x * x, _SI_UP_TO**2), _SI)
    inverse = 1 / torch.where(below, _SI_UP_TO, x)
    z = inverse * inverse
    f = inverse * _polynomial(z, _SI_F)
    g = z * _polynomial(z, _SI_G)
    return torch.where(below, small, math.pi / 2 - cosine * f - sine * g)


def _polynomial(x: Tensor, coefficients: Sequence[Tensor | float]) -> Tensor:
    """Horner's rule, the constant first."""
    result = x * coefficients[-1] + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        result = result * x + coefficient
    return result
