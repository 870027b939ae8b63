"""From what a person passes in to a clean numpy array, or one clear line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import CourseError

Array = npt.NDArray[np.float64]


def numbers(name: str, values: Any, shape: Sequence[int | None]) -> Array:
    """`values` (tensor on any device, array, nested list) as a float64 array of `shape`, where None fits any length.

    Raises CourseError, naming the argument, for what is not numbers, another shape, nothing at all, NaN or infinity.
    """
    try:
        if isinstance(values, (list, tuple)) and values and isinstance(values[0], Tensor):
            values = torch.stack(list(values))
        if isinstance(values, Tensor):
            values = values.detach().to("cpu", torch.float64).numpy()
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise CourseError(f"{name}: want numbers of one common shape, got {type(values).__name__}") from None
    if array.ndim != len(shape) or any(
        w is not None and w != g for w, g in zip(shape, array.shape, strict=True)
    ):
        want = ", ".join("n" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise CourseError(f"{name}: got shape {array.shape}, want ({want})")
    if array.size == 0:
        raise CourseError(f"{name}: is empty")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise CourseError(f"{name}: {bad} of {array.size} values are NaN or infinite")
    return array
