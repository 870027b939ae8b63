"""What features must be before anything is computed of them."""

import torch
from torch import Tensor

from ...errors import CourseError
from ...shapes import check_float

LARGEST = 1e20  # of features: the error bar of KID takes their twelfth power, and float64 ends at 1e308


def check_finite(name: str, values: Tensor) -> None:
    """Raise CourseError for NaN and infinity, which a judge gives some class too and an eigenvalue solver blames on the matrix."""
    if not bool(torch.isfinite(values).all()):
        raise CourseError(f"{name}: hold NaN or infinity; look at what made them")


def check_size(name: str, values: Tensor, largest: float = LARGEST) -> None:
    """Raise CourseError as `check_finite` does, and for numbers whose powers would overflow."""
    check_finite(name, values)
    if bool((values.abs() > largest).any()):
        raise CourseError(f"{name}: holds numbers beyond {largest:g}; scale all features down alike")


def check_features(names: tuple[str, str], a: Tensor, b: Tensor, least: int = 1) -> None:
    """Raise CourseError unless a is (N, d) and b (M, d), finite and within ±LARGEST, with one d >= 1 and N, M >= least.

    Floating point of any precision, which may differ: what is computed of them is computed in float64.
    """
    for name, values in zip(names, (a, b), strict=True):
        check_float(name, values)
    shapes = a.ndim == b.ndim == 2 and a.shape[1] == b.shape[1] >= 1
    if not shapes or min(len(a), len(b)) < least:
        got = f"{', '.join(names)}: got shapes {tuple(a.shape)}, {tuple(b.shape)}"
        raise CourseError(f"{got}, want (N, d), (M, d), N, M >= {least}")
    for name, values in zip(names, (a, b), strict=True):
        check_size(name, values)
