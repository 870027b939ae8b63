"""What goes wrong in a transformer's block: the modulations, the attention, the two branches."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .ch12_adaln import adaln_zero, modulated, normalised
from .ch12_block import (
    Attend,
    as_axes,
    attention_slip,
    branch_slip,
    dit_block,
    halves,
    order_slip,
    slip,
    split,
    unmoved,
)
from .data import Mutant

SIX = "the six parts are shift, scale, gate of the attention, then shift, scale, gate of the perceptron."
PLACES = "entries i E to (i + 1) E of the last axis are q, k, v in this order, and in each of them a head after the other."
SOFT = "softmax runs over the keys, the last axis of q k^T."


def interleaved(m: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    six = m.reshape(len(m), -1, 6).unbind(-1)
    return six[:3], six[3:]


def causal(logits: Tensor) -> Tensor:
    future = torch.ones_like(logits, dtype=torch.bool).triu(1)
    return logits.masked_fill(future, float("-inf")).softmax(-1)


def parallel(
    h: Tensor, emb: Tensor, modulation: Callable, qkv: Callable, out: Callable, mlp: Callable, heads: int
) -> Tensor:
    one, two = halves(modulation(emb))
    attended = adaln_zero(h, *one, lambda x: Attend()(x, qkv, out, heads))
    return attended + adaln_zero(h, *two, mlp) - h


def second_alone(
    h: Tensor, emb: Tensor, modulation: Callable, qkv: Callable, out: Callable, mlp: Callable, heads: int
) -> Tensor:
    """The residual of the perceptron begins at the block's input."""
    one, (a, b, g) = halves(modulation(emb))
    attended = adaln_zero(h, *one, lambda x: Attend()(x, qkv, out, heads))
    return h + g[:, None] * mlp(modulated(attended, a, b))


def perceptron_first(
    h: Tensor, emb: Tensor, modulation: Callable, qkv: Callable, out: Callable, mlp: Callable, heads: int
) -> Tensor:
    one, two = halves(modulation(emb))
    return adaln_zero(adaln_zero(h, *two, mlp), *one, lambda x: Attend()(x, qkv, out, heads))


def over_samples(x: Tensor, qkv: Callable, out: Callable, heads: int) -> Tensor:
    return Attend()(x.transpose(0, 1), qkv, out, heads).transpose(0, 1)


def one_head(x: Tensor, qkv: Callable, out: Callable, heads: int) -> Tensor:
    q, k, v = qkv(x).chunk(3, -1)
    return out((q @ k.mT / (x.shape[-1] // heads) ** 0.5).softmax(-1) @ v)


def over_heads(x: Tensor, qkv: Callable, out: Callable, heads: int) -> Tensor:
    q, k, v = (part.transpose(1, 2) for part in split(qkv(x), heads))
    return out(((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).flatten(2))


def of_length_one(x: Tensor, qkv: Callable, out: Callable, heads: int) -> Tensor:
    q, k, v = split(qkv(x), heads)
    logits = torch.nn.functional.normalize(q, dim=-1) @ torch.nn.functional.normalize(k, dim=-1).mT
    return out(((logits / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2))


SLIPS = [
    # the modulations
    order_slip(f"shift and scale swapped: {SIX}", (1, 0, 2, 4, 3, 5)),
    order_slip(f"gate, shift, scale: {SIX}", (1, 2, 0, 4, 5, 3)),
    order_slip(f"scale, gate, shift: {SIX}", (2, 0, 1, 5, 3, 4)),
    order_slip(f"scale and gate swapped: {SIX}", (0, 2, 1, 3, 5, 4)),
    order_slip(f"shift and gate swapped: {SIX}", (2, 1, 0, 5, 4, 3)),
    order_slip(f"both shifts first, then both scales, then both gates: {SIX}", (0, 2, 4, 1, 3, 5)),
    order_slip(f"the modulations of the two branches swapped: {SIX}", (3, 4, 5, 0, 1, 2)),
    order_slip(f"the first gate for both branches: {SIX}", (0, 1, 2, 3, 4, 2)),
    order_slip(f"the first shift and scale for both branches: {SIX}", (0, 1, 2, 0, 1, 5)),
    order_slip(f"the last gate for both branches: {SIX}", (0, 1, 5, 3, 4, 5)),
    order_slip(f"the two gates swapped: {SIX}", (0, 1, 5, 3, 4, 2)),
    order_slip(f"the first three modulations for both branches: {SIX}", (0, 1, 2, 0, 1, 2)),
    order_slip(f"the last three modulations for both branches: {SIX}", (3, 4, 5, 3, 4, 5)),
    slip(f"the six parts read from every sixth entry: {SIX} Each is E entries in a row, chunk(6, dim=1).", parts=interleaved),
    # the attention
    *(
        attention_slip(f"{words} for q, k, v: {PLACES}", split=lambda qkv, heads, o=order: split(qkv, heads, o))
        for words, order in (
            ("k, q, v", (1, 0, 2)),
            ("q, v, k", (0, 2, 1)),
            ("k, v, q", (1, 2, 0)),
            ("v, q, k", (2, 0, 1)),
            ("v, k, q", (2, 1, 0)),
            ("q, k, k", (0, 1, 1)),
            ("q, q, v", (0, 0, 2)),
        )
    ),
    attention_slip(f"(heads, 3, width) for (3, heads, width): {PLACES}", split=as_axes("htd")),
    attention_slip(f"(3, width, heads) for (3, heads, width): {PLACES}", split=as_axes("tdh")),
    attention_slip(f"(heads, width, 3) for (3, heads, width): {PLACES}", split=as_axes("hdt")),
    attention_slip(f"(width, heads, 3) for (3, heads, width): {PLACES}", split=as_axes("dht")),
    attention_slip(
        "heads made by a reshape to (B, heads, N, width): reshape to (B, N, heads, width), and swap tokens and heads.",
        split=unmoved,
    ),
    attention_slip(
        "heads joined by a reshape alone: swap tokens and heads back first.",
        join=lambda v: v.reshape(len(v), v.shape[2], -1),
    ),
    attention_slip(
        "heads joined with the width outermost: a head stands after the other.",
        join=lambda v: v.permute(0, 2, 3, 1).flatten(2),
    ),
    slip("one head, whatever heads is: split E into heads of E / heads.", attend=lambda x, q, o, heads: Attend()(x, q, o, 1)),
    attention_slip("q k^T without its factor: divide by the root of the head's width.", scale=lambda d, E, heads, N: 1.0),
    attention_slip("a division by the root of E: by that of the head's width, E / heads.", scale=lambda d, E, heads, N: E**-0.5),
    attention_slip("a division by the head's width: by its root.", scale=lambda d, E, heads, N: 1 / d),
    attention_slip("a division by E: by the root of the head's width.", scale=lambda d, E, heads, N: 1 / E),
    attention_slip("a division by the root of the number of heads: by that of the head's width.", scale=lambda d, E, heads, N: heads**-0.5),
    attention_slip("a division by the root of the number of tokens: by that of the head's width.", scale=lambda d, E, heads, N: N**-0.5),
    attention_slip("a product with the root of the head's width: divide by it.", scale=lambda d, E, heads, N: d**0.5),
    attention_slip(f"a softmax over the queries: {SOFT}", weigh=lambda logits: logits.softmax(-2)),
    attention_slip(
        "a division behind the softmax: divide the logits, before it.",
        scale=lambda d, E, heads, N: 1.0,
        weigh=lambda logits: logits.softmax(-1),
        join=lambda v: v.transpose(1, 2).flatten(2) / v.shape[-1] ** 0.5,
    ),
    attention_slip(
        f"a softmax over the queries, and a division by the root of E: {SOFT}",
        scale=lambda d, E, heads, N: E**-0.5,
        weigh=lambda logits: logits.softmax(-2),
    ),
    slip("one head of E numbers, with the factor of a narrow one: split E into heads of E / heads.", attend=one_head),
    slip("attention over the heads of a token: swap tokens and heads, so that q k^T is (N, N).", attend=over_heads),
    slip("queries and keys of length 1: take them as qkv answers them.", attend=of_length_one),
    attention_slip(f"a softmax over the heads: {SOFT}", weigh=lambda logits: logits.softmax(1)),
    attention_slip(f"a softmax over all pairs at once: {SOFT}", weigh=lambda logits: logits.flatten(2).softmax(-1).reshape(logits.shape)),
    attention_slip(f"no softmax: {SOFT}", weigh=lambda logits: logits),
    attention_slip(f"a sigmoid for the softmax: {SOFT}", weigh=torch.sigmoid),
    attention_slip("tokens that see the earlier ones alone: in an image each sees all.", weigh=causal),
    attention_slip("equal weights for all tokens: they are the softmax of q k^T.", weigh=lambda logits: (0 * logits).softmax(-1)),
    slip("attention over the samples of the batch: over the tokens of each.", attend=over_samples),
    slip("an attention without its last layer: give the joined heads to out.", attend=lambda x, qkv, out, heads: Attend()(x, qkv, lambda v: v, heads)),
    slip("an attention that adds its input: adaLN-Zero adds h already.", attend=lambda x, *rest: x + Attend()(x, *rest)),
    slip("no attention: out is given the tokens themselves.", attend=lambda x, qkv, out, heads: out(x)),
    # the two branches
    Mutant("both branches at the block's input: the perceptron sees what the attention has made of h.", parallel),
    Mutant("a second sum that begins at the block's input: add to what the attention has made of h.", second_alone),
    Mutant("the perceptron before the attention: the attention comes first.", perceptron_first),
    slip("the attention alone: the perceptron follows.", second=lambda h, *rest: h),
    slip("the perceptron alone: the attention comes first.", first=lambda h, *rest: h),
    *branch_slip(
        "scale for 1 + scale: where the scale is 0, the tokens would be wiped out.",
        lambda h, a, b, g, f: h + g[:, None] * f(normalised(h) * b[:, None] + a[:, None]),
    ),
    *branch_slip(
        "a gate that starts at 1, 1 + gate: where the gate is 0, the block must be the identity.",
        lambda h, a, b, g, f: adaln_zero(h, a, b, 1 + g, f),
    ),
    *branch_slip("no gate: the branch's answer is multiplied by it.", lambda h, a, b, g, f: adaln_zero(h, a, b, torch.ones_like(g), f)),
    *branch_slip("a branch without the sum: add its answer to h.", lambda h, a, b, g, f: g[:, None] * f(modulated(h, a, b))),
    *branch_slip("tokens that are not normalised.", lambda h, a, b, g, f: h + g[:, None] * f(modulated(h, a, b, lambda v: v))),
    *branch_slip("no modulation of the branch's input.", lambda h, a, b, g, f: h + g[:, None] * f(normalised(h))),
    *branch_slip("a sum with the modulated tokens: add to h itself.", lambda h, a, b, g, f: modulated(h, a, b) + g[:, None] * f(modulated(h, a, b))),
    *branch_slip("an eps of 1e-5, layer_norm's default: here it is 1e-6.", lambda h, a, b, g, f: h + g[:, None] * f(modulated(h, a, b, lambda v: normalised(v, 1e-5)))),
    slip(
        "modulations of the first sample for the whole batch.",
        parts=lambda m: halves(m[:1].expand_as(m)),
    ),
    Mutant(
        "a SiLU of the embedding: emb has gone through it already.",
        lambda h, emb, modulation, qkv, out, mlp, heads: dit_block(h, torch.nn.functional.silu(emb), modulation, qkv, out, mlp, heads),
    ),
    Mutant("h unchanged.", lambda h, *rest: h.clone()),
]  # fmt: skip
