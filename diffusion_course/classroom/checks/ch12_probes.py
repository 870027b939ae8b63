"""What a wrong answer of chapter 12 does on inputs of its own: told where no classic mistake explains it."""

from collections.abc import Callable

import torch
from torch import Tensor

from .ch12_adaln import adaln_zero
from .ch12_block import dit_block
from .ch12_patchify import patchify
from .ch12_scale import latent_scale
from .toys import ToyLayer

N, E = 5, 12


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-8, atol=1e-10)


def of_scale(answer: Callable) -> str:
    """Does a number that is added to all latents, a factor, or their order change the scale as it should?"""
    z = drawn(4, 3, 5, 2) + 1
    if not same(answer(z + 1), answer(z)):
        return "Add 1 to all latents, and your scale changes: measure them from their mean."
    if not same(answer(2 * z), answer(z) / 2):
        times = (answer(2 * z) / answer(z)).item()
        return f"Latents twice as large should get half the scale; yours is multiplied by {times:.3g}."
    mixed = z.flatten()[torch.randperm(z.numel(), generator=torch.Generator().manual_seed(0))].reshape(
        z.shape
    )
    if not same(answer(mixed), answer(z)):
        return (
            "With its entries in another order your scale is another: the mean runs over all entries at once."
        )
    return f"Your scale is always {(answer(z) / latent_scale(z)).item():.4g} times the right one." * same(
        answer(drawn(7, 11)) / latent_scale(drawn(7, 11)), answer(z) / latent_scale(z)
    )


def of_patches(answer: Callable) -> str:
    """Which pixel stands where another should?"""
    x = torch.arange(2 * 2 * 6 * 8, dtype=torch.float64).reshape(2, 2, 6, 8)
    got, want = answer(x, 2), patchify(x, 2)
    if got.shape != want.shape or not bool(torch.isin(got, x).all()):
        return ""
    b, n, e = (got != want).nonzero()[0].tolist()
    places = [_place(int(value)) for value in (got[b, n, e], want[b, n, e])]
    return (
        f"For x of shape (2, 2, 6, 8) and p = 2 your tokens[{b}, {n}, {e}] is {places[0]}, want {places[1]}."
    )


def _place(number: int) -> str:
    image, rest = divmod(number, 96)
    channel, pixel = divmod(rest, 48)
    return f"x[{image}, {channel}, {pixel // 8}, {pixel % 8}]"


def of_adaln(answer: Callable) -> str:
    """Without which of the modulations is it right?"""
    h, branch = drawn(3, N, E) + 0.5, ToyLayer(drawn(E + 1, E) / 3)
    full = dict(zip(("shift", "scale", "gate"), drawn(3, 3, E), strict=True))

    def right(modulations: dict[str, Tensor]) -> bool:
        return same(answer(h, *modulations.values(), branch), adaln_zero(h, *modulations.values(), branch))

    none = torch.zeros(3, E, dtype=torch.float64)
    if not right(dict.fromkeys(full, none)):
        return "Where shift, scale and gate are 0, the result must be h; yours is not."
    if not right({"shift": none, "scale": none, "gate": none + 1}):
        return "Where shift and scale are 0 and the gate is 1, the result must be h + branch(LN(h)); yours is not: look at LN, and at the sum."
    alone = [name for name in full if right(full | {name: none})]
    if alone == ["gate"]:
        made = [
            name
            for name in ("shift", "scale")
            if right(dict.fromkeys(full, none) | {name: full[name], "gate": none + 1})
        ]
        told = f" With a gate of 1 and {made[0]} alone it is right." if len(made) == 1 else ""
        return f"It is right where the gate is 0, and LN(h) is right: look at what the branch is given, and at the product with the gate.{told}"
    return f"It is right where {alone[0]} is 0: look at how {alone[0]} is used." if alone else ""


def of_block(answer: Callable) -> str:
    """Which half of the block is wrong, and in the attention, what?"""
    if not _right(answer, (0.0, 0.0), 2, N):
        return "Where both gates are 0, the block must return h; yours does not: which of the six parts is which?"
    first, second = _right(answer, (1.0, 0.0), 2, N), _right(answer, (0.0, 1.0), 2, N)
    if first and second:
        return "Each half is right where the other's gate is 0: the second must begin with what the first has made of h."
    if first:
        return "It is right where the gate of the perceptron is 0: look at the second half."
    where = (
        "It is right where the gate of the attention is 0: look at the first half. "
        if second
        else "Both halves are wrong. In the first: "
    )
    if _right(answer, (1.0, 0.0), 1, N):
        return f"{where}With one head it is right: look at how heads are parted and joined."
    if _right(answer, (1.0, 0.0), 2, 1):
        return f"{where}With a single token it is right: look at the weights, softmax(q k^T / sqrt(E / heads)), and which parts are q and k."
    return f"{where}With a single token, where the attention is out(v), it is wrong as well: look at the modulations, LN, v and out."


def _right(answer: Callable, gates: tuple[float, float], heads: int, tokens: int) -> bool:
    """With modulations whose gates are these numbers times others."""
    weights = torch.cat([torch.zeros(E, 6, E, dtype=torch.float64), 0.5 * drawn(1, 6, E)])
    for part, gate in zip((2, 5), gates, strict=True):
        weights[-1, part] *= gate
    args = (
        drawn(2, tokens, E) + 0.5,
        drawn(2, E),
        ToyLayer(weights.flatten(1)),
        *(ToyLayer(drawn(E + 1, m * E) / 3) for m in (3, 1, 1)),
        heads,
    )
    return same(answer(*args), dit_block(*args))
