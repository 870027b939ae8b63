"""adaLN-Zero around one branch: normalise, scale and shift, ask the branch, gate, add."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Check, Mutant
from .inputs import Draw

EPS = 1e-6


def adaln_zero(h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor, branch: Callable) -> Tensor:
    return h + gate[:, None] * branch(modulated(h, shift, scale))


def normalised(h: Tensor, eps: float = EPS) -> Tensor:
    return F.layer_norm(h, h.shape[-1:], eps=eps)


def modulated(h: Tensor, shift: Tensor, scale: Tensor, normed: Callable = normalised) -> Tensor:
    return normed(h) * (1 + scale[:, None]) + shift[:, None]


def by_variance(h: Tensor, correction: int = 0, root: float = 0.5, beside: float = 0.0) -> Tensor:
    """A norm by hand: its variance with n - correction, its root, and a number beside the root."""
    spread = (h.var(-1, correction=correction, keepdim=True) + (EPS if beside == 0 else 0)) ** root
    return (h - h.mean(-1, keepdim=True)) / (spread + beside)


def over(*axes: int) -> Callable[[Tensor], Tensor]:
    """A norm over other axes."""
    return lambda h: (h - h.mean(axes, keepdim=True)) / (h.var(axes, correction=0, keepdim=True) + EPS).sqrt()


def tokens(d: Draw) -> tuple:
    B, N, E = d.B, d.size(), d.size() + 3
    return (
        1.5 * d.normal(B, N, E) + 0.5,
        *(d.normal(B, E) for _ in range(3)),
        d.layer(E, E),
    )


def streams(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The start of training, where every modulation is 0; each of them alone; small and wide tokens; as many tokens as samples."""
    h, shift, scale, gate = 1.5 * d.normal(4, 6, 8), d.normal(4, 8), d.normal(4, 8), d.normal(4, 8)
    zero, branch = torch.zeros_like(shift), d.layer(8, 8)
    yield "all modulations are 0", (h, zero, zero, zero, branch)
    yield "a gate of 1, and no scale or shift", (h, zero, zero, zero + 1, branch)
    yield "a scale alone", (h, zero, scale, zero + 1, branch)
    yield "a shift alone", (h, shift, zero, zero + 1, branch)
    yield "as many tokens as samples", (h[:, :4], shift, scale, gate, branch)
    yield "small tokens", (0.01 * h, shift, scale, gate, branch)
    yield "wide tokens, far from 0", (d.wide(4, 6, 8) + 40, shift, scale, gate, branch)
    yield "wide modulations", (h, 10 * shift, 10 * scale, 10 * gate, branch)
    yield "one sample of one token", (h[:1, :1], shift[:1], scale[:1], gate[:1], branch)


def slip(hint: str, function: Callable) -> Mutant:
    return Mutant(hint, function)


def norm_slip(hint: str, normed: Callable) -> Mutant:
    """A mutant with another norm."""
    return Mutant(hint, lambda h, a, b, g, f: h + g[:, None] * f(modulated(h, a, b, normed)))


def gate_slip(hint: str, gated: Callable) -> Mutant:
    """A mutant whose result is gated(h, gate (B, 1, E), the branch's answer)."""
    return Mutant(hint, lambda h, a, b, g, f: gated(h, g[:, None], f(modulated(h, a, b))))


def input_slip(hint: str, given: Callable) -> Mutant:
    """A mutant whose branch is given given(norm of h, shift (B, 1, E), scale (B, 1, E), h)."""
    return Mutant(
        hint,
        lambda h, a, b, g, f: h + g[:, None] * f(given(normalised(h), a[:, None], b[:, None], h)),
    )


ADALN_ZERO = Check(
    id="12-adaln_zero",
    points=3,
    minutes=15,
    level=2,
    reference=adaln_zero,
    inputs=tokens,
    fixed=streams,
    evaluations={"branch": lambda h, *rest: len(h)},
    where='section 6 of this notebook ("The noise level moves every layer: adaLN-Zero"): h + gate * branch((1 + scale) * LN(h) + shift), where '
    "LN(h) has mean 0 and variance 1 along the last axis and the modulations are the same for all tokens (Peebles & Xie 2023, section 3.2).",
    outputs=("result",),
    mutants=[
        # what the branch is given
        input_slip(
            "scale for 1 + scale: where the scale is 0, the tokens would be wiped out.", lambda n, a, b, h: b * n + a
        ),
        input_slip(
            "shift and scale swapped: (1 + scale) multiplies, shift is added.", lambda n, a, b, h: (1 + a) * n + b
        ),
        input_slip(
            "shift and scale swapped, and no 1 beside the factor: (1 + scale) multiplies, shift is added.",
            lambda n, a, b, h: a * n + b,
        ),
        input_slip(
            "a shift inside the brackets: first multiply by 1 + scale, then add the shift.", lambda n, a, b, h: (1 + b) * (n + a)
        ),
        input_slip(
            "1 + scale * LN(h) + shift, a missing pair of brackets: (1 + scale) multiplies.", lambda n, a, b, h: 1 + b * n + a
        ),
        input_slip("a shift that is taken away: it is added.", lambda n, a, b, h: (1 + b) * n - a),
        input_slip("1 - scale: the factor is 1 + scale.", lambda n, a, b, h: (1 - b) * n + a),
        input_slip("exp(scale) for 1 + scale.", lambda n, a, b, h: b.exp() * n + a),
        input_slip("a division by 1 + scale: multiply by it.", lambda n, a, b, h: n / (1 + b) + a),
        input_slip("no scale: the factor is 1 + scale.", lambda n, a, b, h: n + a),
        input_slip("no shift: it is added behind the factor.", lambda n, a, b, h: (1 + b) * n),
        input_slip("a norm alone: scale and shift it.", lambda n, a, b, h: n),
        input_slip("tokens that are not normalised: (1 + scale) multiplies LN(h).", lambda n, a, b, h: (1 + b) * h + a),
        input_slip("h itself given to the branch: normalise, scale and shift it first.", lambda n, a, b, h: h),
        input_slip(
            "tokens normalised twice, before and after the modulation: the first alone.",
            lambda n, a, b, h: normalised((1 + b) * n + a),
        ),
        input_slip(
            "a norm behind the modulation: normalise first, then scale and shift.",
            lambda n, a, b, h: normalised((1 + b) * h + a),
        ),
        input_slip("1 + scale + shift as the factor: shift is added behind it.", lambda n, a, b, h: n * (1 + b + a)),
        input_slip("scale * (1 + LN(h)): the 1 stands beside the scale.", lambda n, a, b, h: b * (1 + n) + a),
        input_slip("h added to what the branch is given: it is added behind the gate.", lambda n, a, b, h: (1 + b) * n + a + h),
        input_slip("a SiLU of what the branch is given: it belongs to the embedding.", lambda n, a, b, h: F.silu((1 + b) * n + a)),
        input_slip("scale + 1 added, and shift multiplied.", lambda n, a, b, h: n * (1 + a) + 1 + b),
        slip(
            "scale and gate swapped: the arguments are (h, shift, scale, gate, branch).",
            lambda h, a, b, g, f: adaln_zero(h, a, g, b, f),
        ),
        slip(
            "shift and gate swapped: the arguments are (h, shift, scale, gate, branch).",
            lambda h, a, b, g, f: adaln_zero(h, g, b, a, f),
        ),
        slip(
            "modulations of the first sample for the whole batch: each sample has its own.",
            lambda h, a, b, g, f: adaln_zero(h, a[:1].expand_as(a), b[:1].expand_as(b), g[:1].expand_as(g), f),
        ),
        slip(
            "modulations averaged over the batch: each sample has its own.",
            lambda h, a, b, g, f: adaln_zero(h, *(v.mean(0, keepdim=True).expand_as(v) for v in (a, b, g)), f),
        ),
        slip(
            "modulations (B, E), or (1, B, E) of [None], beside (B, N, E): [:, None] gives them an axis for the tokens, (B, 1, E).",
            lambda h, a, b, g, f: h + g * f(normalised(h) * (1 + b) + a),
        ),
        # the norm
        norm_slip("a division by the root mean square, without the mean taken away: LN(h) has mean 0.", lambda h: h / (h.square().mean(-1, keepdim=True) + EPS).sqrt()),
        norm_slip("a mean that is taken away, and no division: LN(h) has variance 1.", lambda h: h - h.mean(-1, keepdim=True)),
        norm_slip("a norm over the tokens, axis 1: each token is normalised along its own entries, the last axis.", over(1)),
        norm_slip("a norm over tokens and entries at once: each token is normalised by itself.", over(1, 2)),
        norm_slip("a norm over the batch: each token is normalised by itself.", over(0)),
        norm_slip("a division by the variance: divide by its root.", lambda h: by_variance(h, root=1.0)),
        norm_slip("a variance with n - 1, as .var() and .std() have it: correction=0 divides by n.", lambda h: by_variance(h, correction=1)),
        norm_slip(
            "a standard deviation with n - 1, and 1e-6 beside it: correction=0 divides by n, and 1e-6 stands under the root.",
            lambda h: by_variance(h, correction=1, beside=EPS),
        ),
        norm_slip("1e-6 beside the root: it stands under it.", lambda h: by_variance(h, beside=EPS)),
        norm_slip("an eps of 1e-5, layer_norm's default: here it is 1e-6, give eps=1e-6.", lambda h: normalised(h, 1e-5)),
        *(
            norm_slip(f"an eps of {eps:g} in the norm: here it is 1e-6.", lambda h, eps=eps: normalised(h, eps))
            for eps in (0.0, 1e-12, 1e-8, 1e-4, 1e-3)
        ),
        # what is done with the answer
        gate_slip("a gate that starts at 1, 1 + gate: where the gate is 0, the block must be the identity.", lambda h, g, f: h + (1 + g) * f),
        gate_slip("1 - gate: the branch is multiplied by gate.", lambda h, g, f: h + (1 - g) * f),
        gate_slip("h and the branch mixed, (1 - gate) h + gate * branch: h is added as it is.", lambda h, g, f: (1 - g) * h + g * f),
        gate_slip("no gate: the branch is multiplied by it.", lambda h, g, f: h + f),
        gate_slip("a gate around the whole sum: h is added as it is.", lambda h, g, f: g * (h + f)),
        gate_slip("h inside the gate's product, too: h is added once.", lambda h, g, f: h + g * (h + f)),
        gate_slip("1 + gate on h: the gate multiplies the branch.", lambda h, g, f: (1 + g) * h + f),
        gate_slip("1 + gate around the whole sum: h is added as it is.", lambda h, g, f: (1 + g) * (h + f)),
        gate_slip("a gate on h: it multiplies the branch.", lambda h, g, f: g * h + f),
        gate_slip("no h: the branch is added to it.", lambda h, g, f: g * f),
        gate_slip("a branch that is taken away: it is added.", lambda h, g, f: h - g * f),
        gate_slip("a gate that is added: it multiplies the branch.", lambda h, g, f: h + g + f),
        gate_slip("the sigmoid of the gate: it multiplies as it is.", lambda h, g, f: h + g.sigmoid() * f),
        gate_slip("the tanh of the gate: it multiplies as it is.", lambda h, g, f: h + g.tanh() * f),
        gate_slip("the absolute value of the gate: it multiplies as it is.", lambda h, g, f: h + g.abs() * f),
        gate_slip("the normalised tokens in the place of h in the sum: h is added as it is.", lambda h, g, f: normalised(h) + g * f),
        gate_slip("a norm of the result: h + gate * branch is returned as it is.", lambda h, g, f: normalised(h + g * f)),
        slip(
            "the modulated tokens in the place of h in the sum: h is added as it is.",
            lambda h, a, b, g, f: modulated(h, a, b) + g[:, None] * f(modulated(h, a, b)),
        ),
        slip(
            "a gate inside the branch: it multiplies the branch's answer.",
            lambda h, a, b, g, f: h + f(g[:, None] * modulated(h, a, b)),
        ),
        slip(
            "a modulation behind the branch: scale and shift what the branch is given.",
            lambda h, a, b, g, f: h + g[:, None] * (f(normalised(h)) * (1 + b[:, None]) + a[:, None]),
        ),
        slip(
            "a modulation behind the gate: scale and shift what the branch is given.",
            lambda h, a, b, g, f: h + g[:, None] * f(normalised(h)) * (1 + b[:, None]) + a[:, None],
        ),
        slip(
            "a norm behind the branch: normalise what it is given.",
            lambda h, a, b, g, f: h + g[:, None] * modulated(f(h), a, b),
        ),
        slip("no branch: ask it.", lambda h, a, b, g, f: h + g[:, None] * modulated(h, a, b)),
        slip("h unchanged: add the branch.", lambda h, a, b, g, f: h.clone()),
    ],
)  # fmt: skip
