"""Sentences about numbers that stand beside them: printed as they are when they hold, and otherwise when they do not."""

import re

import torch
from torch import Tensor


def claim(sentence: str, holds: object) -> None:
    """Print "Holds: sentence.", or "Does not hold here: sentence." holds: anything with a truth value, e.g. a tensor of one element.

    What a text says of an output, it says here, so that another device, seed or version cannot make it false in silence.
    """
    print(f"{'Holds' if bool(holds) else 'Does not hold here'}: {sentence.rstrip('.')}.")


def agree(what: str, a: Tensor | float, b: Tensor | float, tol: float = 1e-12) -> None:
    """Print whether two computations of one quantity agree to `tol`, relative to the largest entry of b (or 1, if that is smaller)."""
    a, b = (torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in (a, b))
    print(f"{what}: agree to {tol:g}: {bool((a - b).abs().max() <= tol * b.abs().max().clamp(min=1))}")


def broken(printed: str) -> list[str]:
    """The lines of what was printed in which a claim does not hold, or two computations do not agree."""
    return re.findall(r"^Does not hold here: .*|^.*: agree to \S+: False$", printed, re.MULTILINE)
