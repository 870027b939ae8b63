"""Where the steps of a run were done: it may go on elsewhere, and its card names all the places, not the last one alone."""

import torch

from .. import devices
from .precision import Precision

NAMES = ("device", "torch", "precision")
Places = list[list[str]]
"""Of each place, in the order of the first steps there: what `NAMES` names."""


def add(places: Places, device: torch.device, processes: int, precision: Precision) -> None:
    """Note a step that was done here, by so many processes."""
    several = f"{processes} x " if processes > 1 else ""
    here = [several + devices.device_name(device), str(torch.__version__), str(precision)]
    if here not in places:
        places.append(here)


def for_card(places: Places) -> dict[str, str]:
    """What a card says of them, e.g. {"device": "NVIDIA H200, then 2 CPU threads, x86_64", "torch": ..., "precision": ...}."""
    return {
        name: ", then ".join(dict.fromkeys(column))
        for name, column in zip(NAMES, zip(*places, strict=True), strict=True)
    }


def sound(places: object, step: int) -> bool:
    """Can these be the places of so many steps?"""
    return (
        isinstance(places, list)
        and bool(places) == (step > 0)
        and all(isinstance(p, list) and [type(word) for word in p] == [str] * len(NAMES) for p in places)
    )
