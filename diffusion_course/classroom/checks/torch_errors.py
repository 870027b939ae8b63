"""What torch says when it stops, and Python of a shape, in the words of the course."""

import re
from collections.abc import Sequence

from torch import Tensor

DTYPES = re.compile(r"expected (scalar type|dtype|m1 and m2)|same d(ata)?type|scalar type", re.I)
INVALID = re.compile(r"shape '.*' is invalid for input of size")
UNPACKED = re.compile(r"values to unpack \(expected (\d+)")
SIZES = re.compile(r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)")


def torch_hint(names: Sequence[str], args: Sequence, words: str) -> str:
    """What to do about an error of torch; "" for one that is not known. names, args: the arguments of the case."""
    if "Can't call numpy()" in words:
        return (
            "The inputs may come out of a network, which is trained through what you return: stay in torch."
        )
    if "Boolean value of Tensor with more than one value" in words:
        return (
            "A comparison of tensors has an answer for each entry, which Python's if, and, min and max cannot take: "
            "use torch.where, torch.minimum or .clamp."
        )
    if "bitwise_" in words and "not implemented for" in words:
        return "& and | bind tighter than < and ==: put each comparison into brackets, (a < b) & (c < d)."
    if re.search(r"(min|max)\(\)( iterable argument| arg)? is( an)? empty", words):
        return "No case has passed your conditions, and each input here has an answer: do they refuse too much, or does the loop end too early?"
    if "too large to convert to float" in words or "Numerical result out of range" in words:
        return "Python's integers have no largest one, and floats end at 1e308: stay with integers, 2**n and not 2.0**n, and divide at the end."
    if "Could not infer dtype of NoneType" in words:
        return "torch.tensor was given None: a variable that no case has set, though each input here has an answer."
    if "Dimension out of range" in words:
        return (
            "An axis is named that these inputs have not: *S in a shape stands for any number of axes. Count from the first axis or from "
            "the last, or take all axes at once."
        )
    if INVALID.search(words):
        return (
            "The sizes of a reshape must multiply to the number of entries. Is one size taken for another, which equals it in a square, "
            "say, but not here?"
        )
    if (unpacked := UNPACKED.search(words)) and any(
        isinstance(a, Tensor) and a.ndim > int(unpacked[1]) for a in args
    ):
        return (
            "If that is a shape which is taken apart: *S in a shape stands for any number of axes, and here there are more. "
            "Name none of them: .flatten(1), [..., None] and an axis of -1 do with any number."
        )
    if SIZES.search(words):
        return _sizes_hint(dict(zip(names, args, strict=True)))
    return _dtype_hint(names, args) if DTYPES.search(words) else ""


def _sizes_hint(args: dict[str, object]) -> str:
    """One number for each sample meets data: the commonest cause."""
    tensors = {name: a for name, a in args.items() if isinstance(a, Tensor)}
    data = next((name for name, a in tensors.items() if a.ndim > 1), "")
    rows = [n for n, a in tensors.items() if data and a.shape == tensors[data].shape[:1]]
    if data and tensors[data].ndim == 3:
        ends = [n for n, a in tensors.items() if a.shape == (tensors[data].shape[0], tensors[data].shape[2])]
        if ends:
            return f"Tensors that meet are aligned from the last axis. {ends[0]}, (B, E), beside {data}, (B, N, E), needs an axis in the middle: [:, None]."
    rows.sort(key=lambda n: not tensors[n].is_floating_point())
    rows = [n if tensors[n].is_floating_point() else f"a table read at {n}" for n in rows]
    if not rows:
        return ""
    return (
        f"Tensors that meet are aligned from the last axis. A number for each sample, such as {rows[0]}, (B,), needs the shape "
        f"(B, 1, ..., 1), as many axes as {data}."
    )


def _dtype_hint(names: Sequence[str], args: Sequence) -> str:
    floats = [
        (n, a) for n, a in zip(names, args, strict=True) if isinstance(a, Tensor) and a.is_floating_point()
    ]
    if not floats:
        return ""
    name, like = floats[0]
    return (
        f"Two dtypes meet. The inputs are {str(like.dtype).removeprefix('torch.')}, and torch.arange, torch.linspace, torch.tensor and "
        f"a quotient of integers are float32 without more, and so are the weights of a new torch.nn layer: give what you make the dtype of {name}, dtype={name}.dtype."
    )
