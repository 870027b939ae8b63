"""Where tensors live: the CPU or a CUDA GPU, chosen and checked before any work."""

import platform

import torch

from .errors import CourseError, shown, unknown


def choose(name: torch.device | str | None = None) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:N"; default: cuda when there is one, else cpu.

    A torch.device of a kind that has no name here, as launchers of several processes choose, is taken as it is.
    Apple's MPS is never used, since it has no float64. Raises CourseError for a device that cannot be had.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(name, torch.device) and name.type not in ("cuda", "mps"):
        return name
    if not isinstance(name, torch.device | str):
        raise CourseError(f"device: got {shown(name)}, want 'cpu', 'cuda' or 'cuda:N'")
    name = str(name)
    if name.startswith("mps"):
        raise CourseError(
            "device: 'mps' has no float64, which the course's schedules and checks need; take 'cpu'"
        )
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError, OverflowError):
        raise unknown("device", name, ("cpu", "cuda")) from None
    if device.type not in ("cpu", "cuda"):
        raise unknown("device", name, ("cpu", "cuda"))
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CourseError(
            f"device: {name!r} was asked for, and torch sees {torch.cuda.device_count()} GPUs; take 'cpu'"
        )
    return device


def device_name(device: torch.device) -> str:
    """The GPU's name, or the number of CPU threads and the machine's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
