"""A block of a diffusion transformer, to build."""

from .ch12_block import blocks, dit_block, sizes
from .ch12_block_slips import SLIPS
from .data import Check

DIT_BLOCK = Check(
    id="12-dit_block",
    points=5,
    minutes=25,
    level=3,
    reference=dit_block,
    inputs=blocks,
    fixed=sizes,
    evaluations={name: lambda h, *rest: len(h) for name in ("modulation", "qkv", "out", "mlp")},
    where='section 6 of this notebook ("The noise level moves every layer: adaLN-Zero"): six modulations from emb; adaLN-Zero around the '
    "attention, then around the perceptron; in the attention softmax(q k^T / sqrt(E / heads)) v for each head (Peebles & Xie 2023, section 3.2).",
    outputs=("result",),
    mutants=SLIPS,
)
