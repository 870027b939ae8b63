"""A block of a diffusion transformer: attention, then a perceptron, each in adaLN-Zero; in parts, of which a mutant has another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from .ch12_adaln import adaln_zero
from .data import Mutant
from .inputs import Draw

Split = Callable[[Tensor, int], Sequence[Tensor]]


@dataclass(frozen=True)
class Attend:
    """The parts of self-attention. split: (B, N, 3E), heads -> q, k, v, each (B, heads, N, E / heads). scale: (head width, E, heads, N)
    -> a factor of q k. weigh: logits (B, heads, N, N) -> weights. join: (B, heads, N, E / heads) -> (B, N, E).
    """

    split: Split = lambda qkv, heads: split(qkv, heads)
    scale: Callable[[int, int, int, int], float] = lambda d, E, heads, N: d**-0.5
    weigh: Callable[[Tensor], Tensor] = lambda logits: logits.softmax(-1)
    join: Callable[[Tensor], Tensor] = lambda v: v.transpose(1, 2).flatten(2)

    def __call__(self, x: Tensor, qkv: Callable, out: Callable, heads: int) -> Tensor:
        q, k, v = self.split(qkv(x), heads)
        logits = q @ k.mT * self.scale(q.shape[-1], x.shape[-1], heads, x.shape[1])
        return out(self.join(self.weigh(logits) @ v))


def split(qkv: Tensor, heads: int, order: tuple[int, int, int] = (0, 1, 2)) -> list[Tensor]:
    """q, k, v, each (B, heads, N, d), from blocks of the last axis in this order."""
    B, N, E3 = qkv.shape
    parts = qkv.reshape(B, N, 3, heads, E3 // 3 // heads).permute(2, 0, 3, 1, 4)
    return [parts[i] for i in order]


def as_axes(layout: str) -> Split:
    """A split whose last axis is read as these axes in a row: three (q, k, v), heads, width."""

    def other(qkv: Tensor, heads: int) -> Sequence[Tensor]:
        B, N, E3 = qkv.shape
        sizes = {"t": 3, "h": heads, "d": E3 // 3 // heads}
        axes = qkv.reshape(B, N, *(sizes[letter] for letter in layout))
        return axes.permute(2 + layout.index("t"), 0, 2 + layout.index("h"), 1, 2 + layout.index("d")).unbind(
            0
        )

    return other


def unmoved(qkv: Tensor, heads: int) -> Sequence[Tensor]:
    """Heads made by a reshape that does not swap tokens and heads."""
    B, N, E3 = qkv.shape
    return [part.reshape(B, heads, N, E3 // 3 // heads) for part in qkv.chunk(3, dim=-1)]


def halves(m: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """shift, scale and gate of the attention, and of the perceptron."""
    parts = m.chunk(6, dim=1)
    return parts[:3], parts[3:]


def built(
    h: Tensor,
    emb: Tensor,
    modulation: Callable,
    qkv: Callable,
    out: Callable,
    mlp: Callable,
    heads: int,
    parts: Callable = halves,
    attend: Callable = Attend(),
    first: Callable = adaln_zero,
    second: Callable = adaln_zero,
) -> Tensor:
    """parts: of the modulations; attend: the attention; first, second: adaLN-Zero around each branch."""
    one, two = parts(modulation(emb))
    h = first(h, *one, lambda x: attend(x, qkv, out, heads))
    return second(h, *two, mlp)


def dit_block(
    h: Tensor, emb: Tensor, modulation: Callable, qkv: Callable, out: Callable, mlp: Callable, heads: int
) -> Tensor:
    return built(h, emb, modulation, qkv, out, mlp, heads)


def blocks(d: Draw) -> tuple:
    heads = d.integer(2, 3)
    return block_of(d, d.B, d.size(), heads, d.integer(2, 4))


def block_of(d: Draw, B: int, N: int, heads: int, width: int) -> tuple:
    E = heads * width
    # The whole block in the order of its arguments; queries and keys of some size, so that the weights are far from equal.
    return (
        1.5 * d.normal(B, N, E),
        d.normal(B, E),
        d.layer(E, 6 * E),
        wide(d, E, 3 * E),
        d.layer(E, E),
        d.layer(E, E),
        heads,
    )


def wide(d: Draw, n: int, m: int) -> Any:
    layer = d.layer(n, m)
    layer.weights.data.mul_(1.5)
    return layer


def sizes(d: Draw) -> Iterator[tuple[str, tuple]]:
    """One head and many, one token, as many tokens as samples, as heads, and as entries of a head."""
    yield "one head", block_of(d, 3, 5, 1, 6)
    yield "four heads of two", block_of(d, 2, 5, 4, 2)
    yield "the chapter's 49 tokens, 3 heads of 4", block_of(d, 2, 49, 3, 4)
    yield "one token", block_of(d, 3, 1, 2, 3)
    yield "as many tokens as samples and heads", block_of(d, 3, 3, 3, 2)
    yield "as many tokens as a head is wide", block_of(d, 2, 4, 2, 4)
    h, emb, *rest = block_of(d, 2, 5, 2, 4)
    yield "wide tokens and embeddings", (10 * h + 5, 10 * emb, *rest)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def attention_slip(hint: str, **parts: Any) -> Mutant:
    return slip(hint, attend=Attend(**parts))


def order_slip(hint: str, order: Sequence[int]) -> Mutant:
    """A mutant that reads the six modulations in another order, each after the other: (shift, scale, gate) twice is 0, 1, ... 5."""

    def parts(m: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        six = m.chunk(6, dim=1)
        return [six[i] for i in order[:3]], [six[i] for i in order[3:]]

    return slip(hint, parts=parts)


def branch_slip(hint: str, wrong: Callable) -> Iterator[Mutant]:
    """Mutants with another adaLN-Zero around both branches, around the attention, and around the perceptron."""
    yield slip(f"{hint} Both branches have it so.", first=wrong, second=wrong)
    yield slip(f"{hint} It is so around the attention.", first=wrong)
    yield slip(f"{hint} It is so around the perceptron.", second=wrong)
