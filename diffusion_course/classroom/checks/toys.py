"""Small models that stand in for networks, so that a wrong argument shows in the output. They count what they are asked.

This file holds no reference and imports torch alone: grading gives it to an answer that runs where no check is.
"""

from typing import Any, Self

import torch
from torch import Tensor, nn


class Toy(nn.Module):
    """A model of a few weights. evaluated: how many samples it was shown so far, over all calls. shown: the arguments of each call.

    Arguments may be given by position or by any name of `NAMES`, as the texts of the course call them.
    """

    NAMES: tuple[tuple[str, ...], ...] = ()

    def __init__(self, weights: Tensor):
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.evaluated = 0
        self.shown: list[tuple] = []
        self._answers: list[Tensor] = []

    def __deepcopy__(self, memo: dict) -> Self:
        """The same weights, asked nothing yet. Ten times quicker than the default, and answers with a graph cannot be copied."""
        return type(self)(self.weights.detach().clone())

    @property
    def spoiled(self) -> bool:
        """Was one of its answers changed in place? A model may keep them."""
        return any(answer._version for answer in self._answers if not answer.is_inference())

    def forward(self, *args: Any, **named: Any) -> Tensor:
        if len(args) + len(named) > len(self.NAMES):
            raise TypeError(f"{self.called} takes ({self._usage()}), got {len(args) + len(named)} arguments")
        given = list(args)
        for names in self.NAMES[len(args) :]:
            given += [named.pop(name) for name in names if name in named][:1] or [None]
        if named:
            raise TypeError(f"{self.called} takes ({self._usage()}), got {', '.join(named)}")
        x = given[0]
        if not isinstance(x, Tensor) or x.ndim < 1:
            first = self.NAMES[0][0]
            raise TypeError(f"{self.called} got {first} = {_said(x)}; it takes a tensor of shape (B, ...)")
        self.evaluated += len(x)
        self._answers.append(self.answer(*given))
        self.shown.append(tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in given))
        return self._answers[-1]

    @property
    def called(self) -> str:
        """What the texts call such a model."""
        return "D"

    def answer(self, *given: Any) -> Tensor:
        raise NotImplementedError

    def _usage(self) -> str:
        return ", ".join(names[0] for names in self.NAMES)


class ToyEps(Toy):
    """A noise-prediction model: eps(x_t, t) = a sin(b x_t + c t)."""

    NAMES = (("x_t", "x"), ("t", "times"))
    called = "eps_model"

    def answer(self, x: Tensor, t: Any) -> Tensor:
        """x: (B, *S), t: (B,) integers. Raises TypeError in words for anything else: real networks need both."""
        if not isinstance(t, Tensor) or t.shape != (len(x),):
            raise TypeError(
                f"{self.called} got t = {_said(t)}; it takes a tensor of shape ({len(x)},), one time for each sample"
            )
        if t.dtype in (torch.bool,) or t.is_floating_point() or t.is_complex():
            raise TypeError(
                f"{self.called} got t of dtype {str(t.dtype)[6:]}; it takes integers, as torch.full((B,), t) makes them"
            )
        a, b, c = self.weights
        return a * torch.sin(b * x + c * _column(t, x))


class ToyGuess(ToyEps):
    """A denoiser that is asked by x_t and t, as the formulas of chapter 02 write it: guess(x_t, t) = a sin(b x_t + c t)."""

    called = "guess"


class ToyDenoiser(Toy):
    """A denoiser: D(x, sigma) = a sin(b x + c sigma). sigma = 0 is refused."""

    NAMES = (("x",), ("sigma",))

    def answer(self, x: Tensor, sigma: Any) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0."""
        a, b, c = self.weights
        return a * torch.sin(b * x + c * _sigma("D", sigma, x))


class ToyLabelled(Toy):
    """A denoiser with labels: D(x, sigma, labels) = a sin(b x + c sigma + e labels)."""

    NAMES = (("x",), ("sigma",), ("y", "labels"))
    called = "model"

    def answer(self, x: Tensor, sigma: Any, labels: Any) -> Tensor:
        """x: (B, *S), sigma: () or (B,), labels: (B,) integers. Raises TypeError in words where labels are missing or odd."""
        if not isinstance(labels, Tensor) or labels.shape != (len(x),) or labels.is_floating_point():
            raise TypeError(
                f"model got labels = {_said(labels)}; it takes integers of shape ({len(x)},), one for each sample"
            )
        a, b, c, e = self.weights
        return a * torch.sin(b * x + c * _sigma("model", sigma, x) + _column(e * labels, x))


class ToyLogProb(Toy):
    """A noisy classifier: log p(y | x; sigma), (B,), a curved function of x."""

    NAMES = (("x",), ("sigma",))
    called = "log_prob"

    def answer(self, x: Tensor, sigma: Any) -> Tensor:
        """x: (B, *S), sigma: () or (B,)."""
        a, b, c = self.weights
        noise = _sigma("log_prob", sigma, x).reshape(-1)
        summed = (a * torch.sin(b * x + c)).flatten(1).sum(1)
        return nn.functional.logsigmoid(summed / (1 + noise**2))


class ToyTokens(Toy):
    """A model of masked diffusion: logits of each token's value, from all tokens and from the place. weights: (K + 2, K)."""

    NAMES = (("x", "x_t"),)
    called = "model"

    def answer(self, x: Tensor) -> Tensor:
        """x: (B, *S) integers in 0..K, where K is the mask -> (B, *S, K). Raises TypeError in words for anything else."""
        K = self.weights.shape[1]
        if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise TypeError(f"model got tokens of dtype {str(x.dtype)[6:]}; it takes integers")
        if bool(((x < 0) | (x > K)).any()):
            raise TypeError(
                f"model got tokens {int(x.min())}..{int(x.max())}; it takes 0..{K}, where {K} is the mask"
            )
        own = self.weights[:-1][x.long()]  # (B, *S, K)
        among = own.reshape(len(x), -1, K).mean(1).reshape(len(x), *[1] * (x.ndim - 1), K)
        place = torch.arange(x[0].numel(), device=x.device).reshape(*x.shape[1:], 1)
        return 2 * torch.sin(3 * own + 5 * among * self.weights[-1] + place)


class ToyLayer(Toy):
    """A layer of a network, the same for every token: layer(x) = sin(x W + b)."""

    NAMES = (("x", "h", "emb"),)
    called = "the layer"

    def answer(self, x: Tensor) -> Tensor:
        """x: (B, *S, n), for weights (n + 1, m). Returns (B, *S, m). Raises TypeError in words for another n."""
        n = len(self.weights) - 1
        if x.shape[-1] != n:
            raise TypeError(f"{self.called} got x = {_said(x)}; its last axis must have {n} entries")
        return torch.sin(x @ self.weights[:-1] + self.weights[-1])


class ToyLoud(ToyLayer):
    """A layer with large answers, 30 sin(x W + b): between queries and keys of this size a softmax must not overflow."""

    def answer(self, x: Tensor) -> Tensor:
        return 30 * super().answer(x)


class ToyDecoder(Toy):
    """A decoder of latents: (B, C, h, w) -> (B, 1, 2h, 2w), curved, so that a wrong scale of z shows."""

    NAMES = (("z", "x"),)
    called = "decode"

    def answer(self, z: Tensor) -> Tensor:
        """z: (B, C, h, w). Raises TypeError in words for anything else."""
        if z.ndim != 4:
            raise TypeError(f"{self.called} got z = {_said(z)}; it takes shape (B, C, h, w)")
        a, b, c = self.weights
        weights = torch.arange(1, z.shape[1] + 1, device=z.device).to(z)
        mixed = (weights[:, None, None] * z).mean(1, keepdim=True)
        return a * torch.sin(b * mixed + c).repeat_interleave(2, -1).repeat_interleave(2, -2)


class ToyTerm(Toy):
    """A term of a bound: term(x0, t, eps), (n,): w times the squares of a sin(b x_0 + c t) - eps, summed over each image's coordinates.

    weights: a, b, c, and a w for each of the n images that it is made for, as a network with labels is. A w below 0 makes negative
    terms, as those of a difference are.
    """

    NAMES = (("x0",), ("t",), ("eps",))
    called = "term"

    def answer(self, x0: Tensor, t: Any, eps: Any) -> Tensor:
        """x0, eps: (n, *S), t: (n,) integers. Raises TypeError in words for anything else."""
        a, b, c, *scales = self.weights
        if len(x0) != len(scales):
            raise TypeError(
                f"term got {len(x0)} images; it takes the {len(scales)} of x0, in their order: call it once for each draw"
            )
        if not isinstance(t, Tensor) or t.shape != (len(x0),) or t.is_floating_point():
            raise TypeError(
                f"term got t = {_said(t)}; it takes integers of shape ({len(x0)},), one for each image"
            )
        if not isinstance(eps, Tensor) or eps.shape != x0.shape:
            raise TypeError(
                f"term got eps = {_said(eps)}; it takes noise of shape {tuple(x0.shape)}, as x0 has"
            )
        return self.weights[3:] * (a * torch.sin(b * x0 + c * _column(t, x0)) - eps).square().flatten(1).sum(
            1
        )


class ToyScore(Toy):
    """A score: score(x, t) = a sin(b x + c t). Times outside [0, 1] are refused."""

    NAMES: tuple[tuple[str, ...], ...] = (("x",), ("t",))
    called = "score"

    def answer(self, x: Tensor, t: Any) -> Tensor:
        """x: (B, *S); t: () or (B,), in [0, 1] up to rounding. Raises TypeError or ValueError, in words, for another t."""
        a, b, c = self.weights
        times = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        if times.shape not in ((), (len(x),)):
            raise TypeError(f"{self.called} got t = {_said(t)}; it takes shape () or ({len(x)},)")
        if bool(((times < -1e-6) | (times > 1 + 1e-6)).any()):
            raise ValueError(f"{self.called} got a t outside [0, 1]: {_said(t)}")
        return a * torch.sin(b * x + c * (_column(times, x) if times.ndim else times))


class ToyVelocity(ToyScore):
    """A velocity: model(z, t), of the same formula, whose t is a time for each sample."""

    NAMES = (("x", "z"), ("t",))
    called = "model"

    def answer(self, x: Tensor, t: Any) -> Tensor:
        """x: (B, *S); t: (B,), in [0, 1]. Raises TypeError, in words, for another shape: networks need one time a sample."""
        if not isinstance(t, Tensor) or t.shape != (len(x),):
            raise TypeError(
                f"{self.called} got t = {_said(t)}; it takes shape ({len(x)},), one time for each sample"
            )
        return super().answer(x, t)


class ToyMixing(ToyVelocity):
    """A velocity whose coordinates see their neighbours, as a network's do: its Jacobian is not diagonal."""

    def answer(self, x: Tensor, t: Any) -> Tensor:
        return super().answer(_mixed(x), t)


class ToyMixingDenoiser(ToyDenoiser):
    """A denoiser whose pixels see their neighbours: its Jacobian is neither diagonal nor symmetric."""

    def answer(self, x: Tensor, sigma: Any) -> Tensor:
        return super().answer(_mixed(x), sigma)


class ToyImage(Toy):
    """An image encoder: image(x0) -> (B, E), feature k = a_k sum_j sin(b_k x_j + c_k j), of any length."""

    NAMES = (("x0", "x", "pictures", "x0_hat"),)
    called = "image"

    def answer(self, x: Tensor) -> Tensor:
        """x: (B, *S)."""
        pixels = x.flatten(1)
        place = torch.arange(pixels.shape[1]).to(pixels)
        a, b, c = self.weights.T[:, :, None]
        return (a * torch.sin(b * pixels[:, None] + c * place)).sum(2)


class ToyDraw(Toy):
    """A sampler that is told captions by number: draw(labels, noise) = a sin(b noise + c labels)."""

    NAMES = (("labels", "numbers"), ("noise",))
    called = "draw"

    def answer(self, labels: Tensor, noise: Any) -> Tensor:
        """labels: (n,) integers; noise: (n, *S). Raises TypeError, in words, for other shapes."""
        if labels.ndim != 1 or labels.is_floating_point():
            raise TypeError(f"draw got labels = {_said(labels)}; it takes integers of shape (n,)")
        if not isinstance(noise, Tensor) or noise.ndim < 2 or len(noise) != len(labels):
            raise TypeError(f"draw got noise = {_said(noise)}; it takes ({len(labels)}, ...), a row a sample")
        a, b, c = self.weights
        return a * torch.sin(b * noise + _column(c * labels, noise))


class ToyMet(Toy):
    """What measures images: met(images, labels) -> (n,), 1 where an image is as its caption says, else 0."""

    NAMES = (("images", "x"), ("labels", "numbers"))
    called = "met"

    def answer(self, images: Tensor, labels: Any) -> Tensor:
        """images: (n, *S); labels: (n,) integers. Raises TypeError, in words, for other labels."""
        if not isinstance(labels, Tensor) or labels.shape != (len(images),) or labels.is_floating_point():
            raise TypeError(
                f"met got labels = {_said(labels)}; it takes integers of shape ({len(images)},), one an image"
            )
        # In float64, lest a mark flip by rounding; a wide angle, so that about half of them are 1 whatever the weights are.
        a, b, c = self.weights.double()
        pixels = images.flatten(1).double()
        seen = torch.sin(a + 8 * b * pixels.sum(1) / pixels.shape[1] ** 0.5) + 0.3 * torch.sin(c * labels)
        return (seen > 0).to(images)


class ToyNoise(Toy):
    """A source of noise, which a loop hands to every step: like(x) = a sin(b i + c) at place i."""

    NAMES = (("x",),)
    called = "noise.like"

    def like(self, x: Tensor) -> Tensor:
        return self(x)

    def answer(self, x: Tensor) -> Tensor:
        a, b, c = self.weights
        return a * torch.sin(b * torch.arange(x.numel()).reshape(x.shape).to(x) + c)


TOYS = {
    toy.__name__: toy
    for toy in (
        *(ToyEps, ToyGuess, ToyDenoiser, ToyMixingDenoiser, ToyLabelled, ToyLogProb),
        *(ToyTerm, ToyScore, ToyVelocity, ToyMixing),
        *(ToyTokens, ToyLayer, ToyLoud, ToyDecoder),
        *(ToyImage, ToyDraw, ToyMet, ToyNoise),
    )
}


def _sigma(called: str, sigma: Any, x: Tensor) -> Tensor:
    """sigma, ready to meet x. Raises TypeError for another shape, ZeroDivisionError at 0."""
    noise = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if noise.shape not in ((), (len(x),)):
        raise TypeError(f"{called} got sigma = {_said(sigma)}; it takes shape () or ({len(x)},)")
    if bool((noise == 0).any()):
        raise ZeroDivisionError(f"{called} got sigma = 0; there the slope (x - D) / sigma does not exist")
    return _column(noise, x) if noise.ndim else noise


def _mixed(x: Tensor) -> Tensor:
    """Each coordinate of a sample, and a share of the one before it."""
    return x + 0.7 * x.flatten(1).roll(1, dims=1).reshape(x.shape)


def _column(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))


def _said(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {str(value.dtype)[6:]}"
    return repr(value)[:60]
