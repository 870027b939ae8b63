"""Interpolation on the sphere."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import result_slip, squeezed


def slerp(a: Tensor, b: Tensor, s: float) -> Tensor:
    return on_circle(a, b, s, angle(a, b))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """The angle between each sample of a and that of b: (B, 1, ..., 1)."""
    cosine = (a * b).flatten(1).sum(1) / (a.flatten(1).norm(dim=1) * b.flatten(1).norm(dim=1))
    return column(cosine.arccos(), a)


def on_circle(a: Tensor, b: Tensor, s: float, theta: Tensor) -> Tensor:
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def lengths(a: Tensor) -> Tensor:
    """The norm of each sample, (B, 1, ..., 1)."""
    return column(a.flatten(1).norm(dim=1), a)


def product(a: Tensor, b: Tensor) -> Tensor:
    """The scalar product of each sample of a with that of b, (B, 1, ..., 1)."""
    return column((a * b).flatten(1).sum(1), a)


def centred(a: Tensor) -> Tensor:
    """Each sample without its mean."""
    return a - column(a.flatten(1).mean(1), a)


def circle_slip(hint: str, angles: Callable) -> Mutant:
    """A mutant with its own angles(a, b)."""
    return Mutant(hint, lambda a, b, s: on_circle(a, b, s, angles(a, b)))


def cosine_slip(hint: str, cosine: Callable) -> Mutant:
    """A mutant with its own cosine(a, b) of the angle."""
    return circle_slip(hint, lambda a, b: cosine(a, b).arccos())


def weight_slip(hint: str, between: Callable) -> Mutant:
    """A mutant that ends in between(a, b, s, theta)."""
    return Mutant(hint, lambda a, b, s: between(a, b, s, angle(a, b)))


def apart(d: Draw) -> tuple[Tensor, Tensor]:
    """Two batches whose samples are 40 to 140 degrees apart, of unequal norms."""
    a, other = d.x(), d.x()
    u = a / column(a.flatten(1).norm(dim=1), a)
    v = other - column((other * u).flatten(1).sum(1), a) * u
    v = v / column(v.flatten(1).norm(dim=1), a)
    theta = d.uniform(0.7, 2.4, d.B)
    return a, column(d.uniform(0.5, 2, d.B), a) * (column(theta.cos(), a) * u + column(theta.sin(), a) * v)


def arcs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends, the middle, latents of a real size, nearly parallel and nearly opposite ones, and one sample."""
    for s in (0, 0.0, 0.1, 0.5, 0.9, 1, 1.0):
        yield f"s = {s}", (d.wide(4, 3), d.wide(4, 3), s)
    yield "latents of 784 numbers", (d.normal(2, 1, 28, 28), 3 * d.normal(2, 1, 28, 28), 0.3)
    yield "one sample", (d.normal(1, 5), d.normal(1, 5), 0.7)
    a = d.normal(3, 4)
    yield "a small angle", (a, 2 * a + 0.05 * d.normal(3, 4), 0.3)
    yield "almost opposite", (a, -a + 0.1 * d.normal(3, 4), 0.3)


SLERP = Check(
    id="07-slerp",
    points=3,
    minutes=10,
    level=2,
    reference=slerp,
    inputs=lambda d: (*apart(d), round(float(d.uniform(0.15, 0.4)), 2)),
    fixed=arcs,
    where='the formula in section 8 of this notebook ("The first noise is a latent"): '
    "sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b, with theta the angle between a and b: "
    "cos(theta) = <a, b> / (|a| |b|) (Shoemake 1985).",
    outputs=("between",),
    library=("noise.slerp",),
    mutants=[
        weight_slip(
            "cosines in the place of the sines.",
            lambda a, b, s, theta: (((1 - s) * theta).cos() * a + (s * theta).cos() * b) / theta.cos(),
        ),
        *(
            weight_slip(
                f"{c:g} added to sin(theta): where it is small the weights are still right.",
                lambda a, b, s, theta, c=c: (
                    (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / (theta.sin() + c)
                ),
            )
            for c in (1e-3, 1e-4, 1e-5, 1e-6)
        ),
        cosine_slip(
            "the angle of vectors whose mean is taken away, a correlation: take the vectors as they are.",
            lambda a, b: product(centred(a), centred(b)) / (lengths(centred(a)) * lengths(centred(b))),
        ),
        # the two weights
        weight_slip(
            "the straight line where a and b are close: sin(theta) is small there, and the formula still right.",
            lambda a, b, s, theta: torch.where(theta.cos() > 0.78, (1 - s) * a + s * b, slerp(a, b, s)),
        ),
        Mutant("linear interpolation: use the two sines.", lambda a, b, s: (1 - s) * a + s * b),
        Mutant("the wrong way round: s = 0 is a and s = 1 is b.", lambda a, b, s: slerp(b, a, s)),
        Mutant(
            "sqrt(1 - s) a + sqrt(s) b: the weights are the two sines, divided by sin(theta).",
            lambda a, b, s: (1 - s) ** 0.5 * a + s**0.5 * b,
        ),
        Mutant(
            "a straight line brought to the length of a: it does not turn evenly, use the two sines.",
            lambda a, b, s: ((1 - s) * a + s * b) * lengths(a) / lengths((1 - s) * a + s * b),
        ),
        weight_slip("a missing division by sin(theta).", lambda a, b, s, theta: slerp(a, b, s) * theta.sin()),
        weight_slip(
            "a division by theta: divide by sin(theta).",
            lambda a, b, s, theta: slerp(a, b, s) * theta.sin() / theta,
        ),
        weight_slip(
            "sin(theta) as a factor: divide by it.",
            lambda a, b, s, theta: slerp(a, b, s) * theta.sin() ** 2,
        ),
        weight_slip(
            "b alone divided by sin(theta), a missing pair of brackets: both terms are.",
            lambda a, b, s, theta: ((1 - s) * theta).sin() * a + (s * theta).sin() * b / theta.sin(),
        ),
        weight_slip(
            "sin(1 - s) theta, a missing pair of brackets: the sine is of (1 - s) theta and of s theta.",
            lambda a, b, s, theta: (math.sin(1 - s) * a + math.sin(s) * b) * theta / theta.sin(),
        ),
        weight_slip(
            "sin(theta) times the share: the sine is of (1 - s) theta and of s theta.",
            lambda a, b, s, theta: ((1 - s) * a + s * b) * theta.sin(),
        ),
        weight_slip(
            "sin(1 - s theta), a missing pair of brackets: the first sine is of (1 - s) theta.",
            lambda a, b, s, theta: ((1 - s * theta).sin() * a + (s * theta).sin() * b) / theta.sin(),
        ),
        weight_slip(
            "cosines in the weights: they are sines.",
            lambda a, b, s, theta: (((1 - s) * theta).cos() * a + (s * theta).cos() * b) / theta.sin(),
        ),
        # the cosine of the angle
        cosine_slip("a scalar product that is not divided by the two norms.", product),
        cosine_slip(
            "the squares of the norms in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / (lengths(a) * lengths(b)) ** 2,
        ),
        cosine_slip(
            "the square of a's norm in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / lengths(a) ** 2,
        ),
        cosine_slip(
            "the norm of a alone in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / lengths(a),
        ),
        cosine_slip(
            "the sum of the norms in the cosine: <a, b> is divided by their product |a| |b|.",
            lambda a, b: product(a, b) / (lengths(a) + lengths(b)),
        ),
        cosine_slip(
            "a mean of a b for the cosine, as if |a| and |b| were sqrt(d): divide the sum by the two norms.",
            lambda a, b: column((a * b).flatten(1).mean(1), a),
        ),
        cosine_slip(
            "a mean of a b, cut off at -1 and 1, for the cosine: divide the sum by the two norms.",
            lambda a, b: column((a * b).flatten(1).mean(1), a).clamp(-1, 1),
        ),
        cosine_slip(
            "a cosine cut off at 0: it is negative where the angle is above 90 degrees.",
            lambda a, b: angle(a, b).cos().clamp(0, 1),
        ),
        cosine_slip(
            "a cosine without its sign: it is negative where the angle is above 90 degrees.",
            lambda a, b: angle(a, b).cos().abs(),
        ),
        # which entries share an angle
        cosine_slip(
            "one angle for the whole batch: each sample has its own.",
            lambda a, b: (a * b).sum() / (a.norm() * b.norm()),
        ),
        cosine_slip(
            "an angle for each row of an image: flatten everything but the batch axis first.",
            lambda a, b: torch.cosine_similarity(a, b, dim=-1)[..., None],
        ),
        cosine_slip(
            "an angle for each pixel, from axis 1 alone: flatten everything but the batch axis first.",
            lambda a, b: torch.cosine_similarity(a, b, dim=1)[:, None],
        ),
        cosine_slip(
            "an angle taken across the batch axis: flatten everything but the batch axis, and sum over dim=1.",
            lambda a, b: ((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).clamp(-1, 1),
        ),
        # the angle
        circle_slip("the cosine used as the angle: take arccos of it.", lambda a, b: angle(a, b).cos()),
        circle_slip("arcsin in place of arccos.", lambda a, b: angle(a, b).cos().arcsin()),
        circle_slip("the cosine of the cosine: take arccos of it.", lambda a, b: angle(a, b).cos().cos()),
        circle_slip(
            "an angle in degrees: torch.sin wants radians, as arccos gives them.",
            lambda a, b: angle(a, b).rad2deg(),
        ),
        circle_slip(
            "a quarter turn whatever the angle: cos(s pi/2) a + sin(s pi/2) b is right only where theta = pi/2.",
            lambda a, b: torch.full_like(angle(a, b), torch.pi / 2),
        ),
        circle_slip(
            "an angle of shape (B,) next to a of shape (B, *S): reshape it to (B, 1, ..., 1).",
            lambda a, b: angle(a, b).flatten(),
        ),
        circle_slip(
            "an angle of shape (B, 1), which fits (B, d) only: reshape it to (B, 1, ..., 1), with a.ndim - 1 ones.",
            lambda a, b: angle(a, b).flatten()[:, None],
        ),
        circle_slip(
            "an angle of shape (B, 1, 1, 1), which fits images only: reshape it to (B, 1, ..., 1), with a.ndim - 1 ones.",
            lambda a, b: angle(a, b).flatten()[:, None, None, None],
        ),
        # a and b, and the result
        Mutant(
            "a and b brought to length 1: only the angle is measured between unit vectors; a and b stay as they are.",
            lambda a, b, s: slerp(a / lengths(a), b / lengths(b), s),
        ),
        Mutant(
            "b brought to the length of a, as a rotation of a is: b stays as it is.",
            lambda a, b, s: slerp(a, b * lengths(a) / lengths(b), s),
        ),
        result_slip(
            "samples left flat, (B, d): bring them back to the shape of a.",
            slerp,
            lambda between: between.flatten(1),
        ),
        squeezed(slerp),
    ],
)
