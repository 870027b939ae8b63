"""What wrong numbers are made of: a case in float64, the quantities of its arguments, and ratios to what is wanted."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from .inputs import column

CLOSE = 1e-6  # relative; of numbers in float64
TINY = 1e-11  # absolute: what is left of a difference that should be 0
WHOLE = "the result"  # what an observation is about, where a function returns one thing
SEED = "seed"  # of a case's draws: an input, but no quantity
SINGLE = 3e-6  # what is left of numbers that went through float32


@dataclass(frozen=True)
class Seen:
    """One result of one case in float64: its arguments by name, what came back and what was wanted."""

    args: dict[str, Any]
    got: Tensor
    want: Tensor


def of_subject(subject: str) -> str:
    return "" if subject == WHOLE else f" of {subject}"


def quantities(one: Seen) -> dict[str, Tensor]:
    """What a forgotten or doubled factor may be, by name: of shape (), (B,) or the result's."""
    found: dict[str, Tensor] = {}
    t = one.args.get("t")
    index = t - 1 if isinstance(t, Tensor | int) else slice(None)
    betas, kept = one.args.get("betas"), one.args.get("alpha_bar")
    if isinstance(betas, Tensor):
        kept = torch.cumprod(1 - betas, 0)
        found |= {"beta_t": betas[index], "alpha_t": 1 - betas[index]}
    if isinstance(kept, Tensor):
        found |= {"alpha_bar_t": kept[index], "(1 - alpha_bar_t)": 1 - kept[index]}
    for name, value in one.args.items():
        if (
            isinstance(value, float | int)
            and not isinstance(value, bool)
            and value > 0
            and name not in ("t", SEED)
        ):
            found[name] = torch.tensor(float(value), dtype=torch.float64)
        elif isinstance(value, Tensor) and value.ndim == 0 and value.is_floating_point():
            found[name] = value
    found |= {f"sqrt({name})": value.sqrt() for name, value in found.items()}
    found |= {f"{name}^2": value**2 for name, value in found.items() if not name.startswith("sqrt")}
    sizes = {"T": len(kept) if isinstance(kept, Tensor) else 0}
    named = ((n, a) for n, a in one.args.items() if isinstance(a, Tensor) and a.ndim > 1)
    for name, data in islice(named, 1):
        sizes |= {
            f"len({name})": len(data),
            f"the number of entries of {name}[0]": data[0].numel(),
            f"the number of entries of {name}": data.numel(),
        }
    return found | {n: torch.tensor(float(s), dtype=torch.float64) for n, s in sizes.items() if s > 1}


def is_made_of(ratio: Tensor | None, one: Seen, name: str, power: int) -> bool:
    quantity = quantities(one).get(name)
    if ratio is None or quantity is None:
        return False
    if quantity.ndim == 1 and quantity.shape == ratio.shape[:1]:
        quantity = column(quantity, ratio)
    try:
        return near(ratio, (quantity**power).expand_as(ratio))
    except RuntimeError:  # shapes that do not fit
        return False


def ratio_of(one: Seen) -> Tensor | None:
    """got / want, NaN where nothing is wanted; None where got is not a multiple of it."""
    if one.got.shape != one.want.shape or not one.want.numel():
        return None
    zero = one.want.abs() < TINY
    if (
        bool((one.got[zero].abs() > TINY).any())
        or bool(zero.all())
        or not bool(torch.isfinite(one.got).all())
    ):
        return None
    return torch.where(zero, torch.nan, one.got / one.want)


def constant(ratio: Tensor, value: Tensor) -> bool:
    return near(ratio, value.expand_as(ratio))


def near(ratio: Tensor, want: Tensor) -> bool:
    told = torch.isfinite(ratio)
    return bool(told.any()) and torch.allclose(ratio[told], want[told], rtol=CLOSE, atol=0)


def went_through_float32(one: Seen, relative: float = SINGLE) -> bool:
    """Agree they but for the rounding of float32, beside the largest number of the case? That rounds most of them."""
    rounded = relative > SINGLE or bool((one.got != one.want).double().mean() > 0.4)
    return rounded and torch.allclose(
        one.got, one.want, rtol=relative, atol=relative * one.want.abs().max().item()
    )


def equal(got: object, want: object) -> bool:
    if not isinstance(got, Tensor) or not isinstance(want, Tensor) or got.shape != want.shape:
        return False
    return torch.allclose(got.double(), want.double(), rtol=CLOSE, atol=1e-10)


def in_words(value: float) -> str:
    """2 for 2.0, 1/3 for 0.3333: a factor as one would say it."""
    for d in (1, 2, 3, 4):
        if abs(value * d - round(value * d)) < 1e-6 and 0 < abs(round(value * d)) < 100:
            return f"{round(value * d)}" if d == 1 else f"{round(value * d)}/{d}"
    return f"{value:.4g}"


def comparable(one: Seen) -> bool:
    return one.got.shape == one.want.shape and bool(torch.isfinite(one.got).all())
