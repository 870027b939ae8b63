"""Sampling in latents: Euler from noise, and one decoding at the end; in parts, of which a mutant has another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ... import schedules
from ...denoisers import Denoiser
from .ch01_slips import in_float32
from .ch09_heun import heun_step
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyDecoder, ToyDenoiser


@dataclass(frozen=True)
class Walk:
    """The parts. start: (noise, sigmas, scale) -> the first state. ask: (D, x, sigma, sigma', scale) -> D's answer.
    move: (x, answer, sigma, sigma') -> the next state. image: (decode, states, scale) -> the images. steps: of N + 1 sigmas.
    """

    start: Callable = lambda noise, sigmas, scale: sigmas[0] * noise
    ask: Callable = lambda D, x, s, r, scale: D(x, s)
    move: Callable = lambda x, x0, s, r: x + (r - s) * (x - x0) / s
    image: Callable = lambda decode, states, scale: decode(states[-1] / scale)
    steps: Callable = lambda sigmas: len(sigmas) - 1


def walk(
    D: Denoiser, decode: Callable, noise: Tensor, sigmas: Tensor, scale: float, parts: Walk
) -> tuple[Tensor, Tensor]:
    states = [parts.start(noise, sigmas, scale)]
    for i in range(parts.steps(sigmas)):
        s, r = sigmas[i], sigmas[i + 1]
        states.append(parts.move(states[-1], parts.ask(D, states[-1], s, r, scale), s, r))
    return torch.stack(states), parts.image(decode, states, scale)


def latent_sample(
    D: Denoiser, decode: Callable, noise: Tensor, sigmas: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    return walk(D, decode, noise, sigmas, scale, Walk())


def runs(d: Draw) -> tuple:
    """A few levels that fall to 0; a scale far from 1, above it or below."""
    levels = torch.cat([d.uniform(2, 4, 1), d.uniform(0.45, 0.75, d.size())]).cumprod(0)
    sigmas = torch.cat([levels, torch.zeros_like(levels[:1])])
    scale = d.uniform(0.3, 0.6).item() if d.integer(0, 1) else d.uniform(1.5, 2.5).item()
    C, h = d.event[0], d.size()
    return calm(d), d.decoder(), d.normal(d.B, C, h, h + 1), sigmas, scale


def calm(d: Draw) -> ToyDenoiser:
    """A denoiser of small slope: along a path, rounding must not grow to what looks like a mistake."""
    return ToyDenoiser(d.uniform(0.4, 0.8, 3))


def samplings(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's grid and scale, Stable Diffusion's scale, a D with answers beyond [-1, 1], few steps."""
    karras = schedules.karras(12).to(d.device, d.dtype)
    halves = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0]).to(karras)
    loud = ToyDecoder(torch.tensor([3000.0, 0.7, 0.3]).to(karras))
    for words, sigmas, scale, size in (
        ("the chapter's grid and scale", karras, 1.2386, 0.5),
        ("Stable Diffusion's scale", halves, 0.18215, 0.5),
        ("a D with answers up to 5", halves, 2.0, 5.0),
        ("a scale of 0.5", halves, 0.5, 0.5),
        ("one step", torch.tensor([3.0, 0.0]).to(karras), 1.7, 0.7),
    ):
        D = ToyDenoiser(torch.tensor([size, 0.6, 0.5]).to(karras))
        yield words, (D, d.decoder(), d.wide(2, 4, 7, 7), sigmas, scale)
    far = ToyDenoiser(torch.tensor([40.0, 0.6, 0.5]).to(karras))
    yield "a D with answers up to 40", (far, d.decoder(), d.normal(2, 4, 7, 7), halves, 0.8)
    yield "a decoder with answers up to 3000", (calm(d), loud, d.normal(2, 4, 7, 7), halves, 1.3)


def slip(hint: str, **parts: Any) -> Mutant:
    """A mutant with one part of `Walk` in another way."""
    return Mutant(hint, partial(walk, parts=Walk(**parts)))


def image_slip(hint: str, given: Callable) -> Mutant:
    """A mutant that decodes given(last state, scale)."""
    return slip(hint, image=lambda decode, states, scale: decode(given(states[-1], scale)))


def result_slip(hint: str, change: Callable) -> Mutant:
    """A mutant that returns change(latents, images)."""
    return Mutant(hint, lambda *args: change(*latent_sample(*args)))


def overwritten(latents: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    return latents[-1:].expand_as(latents), images


def halfway(
    D: Denoiser, decode: Callable, noise: Tensor, sigmas: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    states = [sigmas[0] * noise]
    for s, r in pairwise(sigmas):
        m = (s + r) / 2
        states.append(states[-1] + (r - s) * (states[-1] - D(states[-1], m)) / m)
    return torch.stack(states), decode(states[-1] / scale)


def guesses(
    D: Denoiser, decode: Callable, noise: Tensor, sigmas: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    states, images = latent_sample(D, decode, noise, sigmas, scale)
    answers = [D(x, s) for x, s in zip(states[:-1], sigmas[:-1], strict=True)]
    return torch.stack([states[0], *answers]), images


def heun(D: Denoiser, decode: Callable, noise: Tensor, sigmas: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    states = [sigmas[0] * noise]
    for s, r in pairwise(sigmas):
        states.append(heun_step(D, states[-1], s, r))
    return torch.stack(states), decode(states[-1] / scale)


ONCE = (
    "the denoiser works with scaled latents from the first to the last; only the decoder is given x / scale."
)
LATENT_SAMPLE = Check(
    id="12-latent_sample",
    points=4,
    minutes=20,
    level=2,
    reference=latent_sample,
    inputs=runs,
    fixed=samplings,
    evaluations={
        "D": lambda D, decode, noise, sigmas, scale: len(noise) * (len(sigmas) - 1),
        "decode": lambda D, decode, noise, *rest: len(noise),
    },
    calls={"D": lambda D, decode, noise, sigmas, scale: len(sigmas) - 1, "decode": lambda *args: 1},
    where='section 4 of this notebook ("Sampling in latents"): the first state is sigmas[0] noise; Euler steps x + (sigma\' - sigma)(x - D)/sigma; '
    "at the end decode(last / scale) (Rombach et al. 2022, section 3.2).",
    outputs=("latents", "images"),
    only={"images": "The latents are right, and the images are not: what is the decoder given?"},
    mutants=[
        # what is decoded
        image_slip("latents multiplied by the scale on decoding: the encoder's were multiplied, so divide.", lambda x, s: x * s),
        image_slip("latents that are decoded as they are: divide them by the scale first.", lambda x, s: x),
        image_slip("latents divided by the scale twice, or by a variance: divide once.", lambda x, s: x / s**2),
        image_slip("latents divided by the root of the scale.", lambda x, s: x / s**0.5),
        image_slip("latents from which the scale is taken away: divide by it.", lambda x, s: x - s),
        image_slip("latents cut to [-1, 1] before the division: they have no such bounds.", lambda x, s: x.clamp(-1, 1) / s),
        image_slip("latents cut to [-1, 1] after the division: they have no such bounds.", lambda x, s: (x / s).clamp(-1, 1)),
        image_slip("0.18215 in the place of the scale: that is Stable Diffusion's.", lambda x, s: x / 0.18215),
        image_slip("a last latent that is brought to the standard deviation 1 before it is divided: divide it as it is.", lambda x, s: x / x.std() / s),
        slip("the last state but one in the decoder: give it the last, where no noise is left.", image=lambda f, x, s: f(x[-2] / s)),
        slip("the first state in the decoder: give it the last, where no noise is left.", image=lambda f, x, s: f(x[0] / s)),
        slip("a decoded image that is divided by the scale: the latent is divided, before decoding.", image=lambda f, x, s: f(x[-1]) / s),
        slip("a decoded image that is multiplied by the scale: divide the latent by it, before decoding.", image=lambda f, x, s: f(x[-1]) * s),
        slip("images cut to [-1, 1]: return what the decoder gives.", image=lambda f, x, s: f(x[-1] / s).clamp(-1, 1)),
        slip("images mapped to [0, 1]: return what the decoder gives.", image=lambda f, x, s: (f(x[-1] / s) + 1) / 2),
        slip("latents returned as images: decode them.", image=lambda f, x, s: x[-1] / s),
        slip("every state decoded: one decoding, of the last.", image=lambda f, x, s: torch.stack([f(v / s) for v in x])),
        # where it begins
        slip("noise as the first state: it has the standard deviation 1, multiply by sigmas[0].", start=lambda n, g, s: n),
        slip(f"noise multiplied by the scale as well: {ONCE}", start=lambda n, g, s: s * g[0] * n),
        slip(f"noise divided by the scale: {ONCE}", start=lambda n, g, s: g[0] * n / s),
        slip("noise times the scale as the first state: it is sigmas[0] * noise.", start=lambda n, g, s: s * n),
        slip("noise divided by sigmas[0]: multiply.", start=lambda n, g, s: n / g[0]),
        slip("noise times sqrt(1 + sigmas[0]^2): it is sigmas[0] * noise.", start=lambda n, g, s: (1 + g[0] ** 2).sqrt() * n),
        slip("a start in VP coordinates, sigmas[0] / sqrt(1 + sigmas[0]^2) times the noise: it is sigmas[0] times the noise.", start=lambda n, g, s: g[0] / (1 + g[0] ** 2).sqrt() * n),
        slip("noise times sigmas[1]: sampling begins at sigmas[0].", start=lambda n, g, s: g[1] * n),
        slip("noise times 80, whatever the grid is: sampling begins at sigmas[0].", start=lambda n, g, s: 80 * n),
        # what D is asked
        slip(f"D asked about x / scale: {ONCE}", ask=lambda D, x, s, r, k: D(x / k, s)),
        slip(f"D asked about x / scale, and its answer scaled again: {ONCE}", ask=lambda D, x, s, r, k: k * D(x / k, s)),
        slip(f"D asked about scale * x: {ONCE}", ask=lambda D, x, s, r, k: D(k * x, s)),
        slip(f"D's answer divided by the scale: {ONCE}", ask=lambda D, x, s, r, k: D(x, s) / k),
        slip(f"D's answer multiplied by the scale: {ONCE}", ask=lambda D, x, s, r, k: k * D(x, s)),
        slip(f"a sigma that is multiplied by the scale: {ONCE}", ask=lambda D, x, s, r, k: D(x, k * s)),
        slip(f"a sigma that is divided by the scale: {ONCE}", ask=lambda D, x, s, r, k: D(x, s / k)),
        slip("D's answers cut to [-1, 1]: images have these bounds, latents have none.", ask=lambda D, x, s, r, k: D(x, s).clamp(-1, 1)),
        slip(
            "D asked in other coordinates, x / sqrt(1 + sigma^2): it takes x as it is.",
            ask=lambda D, x, s, r, k: D(x / (1 + s**2).sqrt(), s),
        ),
        # the step
        slip("a step in the wrong direction: it is sigma' - sigma, a negative number, times the slope (x - D) / sigma.", move=lambda x, x0, s, r: x + (s - r) * (x - x0) / s),
        slip("a slope without its division by sigma.", move=lambda x, x0, s, r: x + (r - s) * (x - x0)),
        slip("x - D / sigma, a missing pair of brackets: the slope is (x - D) / sigma.", move=lambda x, x0, s, r: x + (r - s) * (x - x0 / s)),
        slip("D asked at the next sigma: the step begins at sigma.", ask=lambda D, x, s, r, k: D(x, r if r > 0 else s)),
        slip("D / sigma as the slope: it is (x - D) / sigma.", move=lambda x, x0, s, r: x + (r - s) * x0 / s),
        slip("a D that is told ln(sigma) / 4: it takes sigma itself.", ask=lambda D, x, s, r, k: D(x, s.log() / 4)),
        slip("a slope that is divided by sigma^2, as a score is: (x - D) / sigma.", move=lambda x, x0, s, r: x + (r - s) * (x - x0) / s**2),
        *(
            slip(
                f"{tiny:g} beside sigma, against a division by 0: D is never asked at 0, leave it away.",
                move=lambda x, x0, s, r, tiny=tiny: x + (r - s) * (x - x0) / (s + tiny),
            )
            for tiny in (1e-8, 1e-6, 1e-5, 1e-4, 1e-3)
        ),
        Mutant("a D that is asked halfway, at the mean of sigma and sigma': the step begins at sigma.", halfway),
        slip(
            "a D that is asked halfway, at the mean of sigma and sigma', and a slope that is divided by sigma: the step begins at sigma.",
            ask=lambda D, x, s, r, k: D(x, (s + r) / 2),
        ),
        slip("sigma' / sigma (x - D), a step to which D is not added again: x + (sigma' - sigma) (x - D) / sigma.", move=lambda x, x0, s, r: r / s * (x - x0)),
        Mutant("Heun's method: this exercise asks for Euler's step, with one answer of D in each.", heun),
        slip("D's answer as the next state: a step of Euler goes only part of the way.", move=lambda x, x0, s, r: x0 + 0 * x),
        slip("D's answer as the slope: it is (x - D) / sigma.", move=lambda x, x0, s, r: x + (r - s) * x0),
        slip("a slope that is divided by the next sigma: by the one at which the step begins.", move=lambda x, x0, s, r: x + (r - s) * (x - x0) / r),
        slip("steps that have no end, x - slope: multiply the slope by sigma' - sigma.", move=lambda x, x0, s, r: x - (x - x0) / s),
        slip("a step to sigma' without the answer, x sigma' / sigma: add (1 - sigma' / sigma) D.", move=lambda x, x0, s, r: r / s * x),
        slip("the two weights of the step swapped: sigma' / sigma belongs to x.", move=lambda x, x0, s, r: (1 - r / s) * x + r / s * x0),
        slip("latents cut to [-1, 1] in every step: they have no such bounds.", move=lambda x, x0, s, r: (x + (r - s) * (x - x0) / s).clamp(-1, 1)),
        slip("a last step that is not taken: it leads to sigma = 0.", steps=lambda sigmas: len(sigmas) - 2),
        slip("one step too many: N + 1 sigmas have N steps.", steps=len),
        Mutant("a grid read backwards: sampling goes from sigmas[0] down to 0.", lambda D, f, n, g, k: latent_sample(D, f, n, torch.cat([g[:-1].flip(0), g[-1:]]), k)),
        # what is returned
        result_slip("latents without the first state: return N + 1 of them.", lambda x, y: (x[1:], y)),
        result_slip("latents without the last state: return N + 1 of them.", lambda x, y: (x[:-1], y)),
        result_slip("the last latent alone: return all N + 1 states.", lambda x, y: (x[-1], y)),
        result_slip("the states from the last to the first.", lambda x, y: (x.flip(0), y)),
        Mutant("D's answers in the place of the states: return what the steps make of them.", guesses),
        result_slip("one tensor in every place, overwritten by each step: make a new one, and append that.", overwritten),
        result_slip("the states behind the batch: the first axis is the step, as torch.stack makes it with dim=0.", lambda x, y: (x.movedim(0, 1), y)),
        result_slip("the states in one axis with the batch, as torch.cat makes it: torch.stack gives them an axis of their own.", lambda x, y: (x.flatten(0, 1), y)),
        result_slip("images without latents: return both.", lambda x, y: y),
        result_slip("latents without images: return both.", lambda x, y: x),
        in_float32(latent_sample),
    ],
)  # fmt: skip
