"""What divides right numbers from wrong ones: a quantity of the case, or a place along the first axis."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .compare import close
from .inputs import column
from .made_of import SEED, Seen, comparable

RIGHT_VALUE = "the right value"
FEWEST_CASES = 4  # on each side of a boundary in the head of a table


def boundary(seen: Sequence[Seen], subject: str = "") -> str:
    """Which one quantity divides what is right from what is wrong? "" where none does, or several do. subject: one of several results."""
    values: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
    for one in seen:
        if one.got.shape != one.want.shape:
            return ""
        off = ~close(one.got, one.want)
        for name, value in _dividers(one).items():
            spread = column(value, off) if value.ndim == 1 and off.ndim > 1 else value
            if spread.ndim <= off.ndim:
                spread = spread.expand_as(off)
                right, wrong = values.setdefault(name, ([], []))
                right.append(spread[~off].double().flatten())
                wrong.append(spread[off].double().flatten())
    told = [
        said
        for name, (r, w) in values.items()
        if _told_by_enough(name, r, w) and (said := _divided(name, torch.cat(r), torch.cat(w), subject))
    ]
    return told[0] if len(told) == 1 else ""


def _told_by_enough(name: str, right: Sequence[Tensor], wrong: Sequence[Tensor]) -> bool:
    """The head of a table is one number a case, and one of many: few cases are soon divided by chance."""
    if not name.endswith("[0]"):
        return True
    return min(sum(map(_some, side)) for side in (right, wrong)) >= FEWEST_CASES


def _some(values: Tensor) -> bool:
    return values.numel() > 0


def places(seen: Sequence[Seen], name: str) -> str:
    """Which entries along the first axis are right in every case, and which are in none? Of results of a fixed length."""
    if len(seen) < 3 or len({one.want.shape for one in seen}) > 1 or not all(comparable(one) for one in seen):
        return ""
    if not seen[0].want.ndim or not 1 < len(seen[0].want) <= 4:
        return ""
    right = torch.stack(
        [
            close(one.got, one.want).flatten(1).all(1) if one.want.ndim > 1 else close(one.got, one.want)
            for one in seen
        ]
    )
    always, never = right.all(0), ~right.any(0)
    if not bool((always | never).all()) or bool(never.all()) or bool(always.all()):
        return ""
    return f"in every case {_listed(name, always)} right, and {_listed(name, never)} not."


def _listed(name: str, which: Tensor) -> str:
    """ "q[0] and q[1] are"."""
    entries = [f"{name}[{k}]" for k in which.nonzero().flatten().tolist()]
    return f"{' and '.join(entries)} {'are' if len(entries) > 1 else 'is'}"


def _divided(name: str, right: Tensor, wrong: Tensor, subject: str) -> str:
    if min(right.numel(), wrong.numel()) < 0.03 * (right.numel() + wrong.numel()):  # that may be chance
        return ""
    it = subject or "it"
    name = f"{name} of {subject}" if subject and name == RIGHT_VALUE else name
    if wrong.min() > right.max():
        return (
            f"{it} is right where {name} is at most {right.max():.4g}, and wrong from {wrong.min():.4g} on."
        )
    if wrong.max() < right.min():
        return f"{it} is right where {name} is at least {right.min():.4g}, and wrong up to {wrong.max():.4g}."
    if wrong.min() == wrong.max() and not bool((right == wrong[0]).any()):
        return f"{it} is wrong only where {name} = {wrong[0]:.4g}."
    return ""


def _dividers(one: Seen) -> dict[str, Tensor]:
    """Quantities that a boundary may run along: numbers of the case, of a sample, or of an entry."""
    found: dict[str, Tensor] = {}
    t = one.args.get("t")
    for name, value in one.args.items():
        if name == SEED:
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = torch.tensor(float(value))
        elif isinstance(value, Tensor) and value.ndim == 0:
            found[name] = value
        elif name == "t" and isinstance(value, Tensor):
            found["t"] = value
        elif isinstance(value, Tensor) and value.shape == one.want.shape and value.is_floating_point():
            found[name] = value
            found[f"|{name}|"] = value.abs()
        elif (
            name not in ("alpha_bar", "betas")
            and isinstance(value, Tensor)
            and value.ndim == 1
            and value.is_floating_point()
        ):
            # What a table holds may divide the cases as well as a knob does.
            found[f"{name}[0]"], found[f"len({name})"] = value[0], torch.tensor(float(len(value)))
        elif name in ("alpha_bar", "betas") and isinstance(value, Tensor) and isinstance(t, Tensor | int):
            found[{"alpha_bar": "alpha_bar_t", "betas": "beta_t"}[name]] = value[t - 1]
    found[RIGHT_VALUE] = one.want
    return found
