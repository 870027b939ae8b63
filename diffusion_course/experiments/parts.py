"""The parts that a config is put together from: of each kind its keys, their defaults, and what their values may be.

noise: {kind: log-normal, mean: -0.4}     # in a YAML file
LogNormal(mean=-0.4)                      # in Python
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from ..errors import CourseError, check_integer, check_known, check_number, shown
from ..parametrisations import P_MEAN, P_STD, SIGMA_DATA
from ..schedules import BETAS, NoiseSchedule

Check = Callable[[str, object], None]
"""(key, value) -> None, or CourseError for a value that the key cannot have."""


def key(check: Check, default: Any) -> Any:
    """A key of a part."""
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Part:
    """One part of a config. Raises CourseError for a value out of range. kind: what a config calls it."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for one in fields(self):
            one.metadata["check"](one.name, getattr(self, one.name))


def integer(low: int, high: int = 4096) -> Check:
    return lambda name, value: check_integer(name, value, low, high)


LARGEST = 1e6
"""Of a knob: with its square and a few factors it still is a number of float32."""


def positive(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 < v <= LARGEST, f"above 0, up to {LARGEST:g}")


def not_negative(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 <= v <= LARGEST, f"in 0..{LARGEST:g}")


def exponent(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 <= v <= 10, "in 0..10")


def log_mean(name: str, value: object) -> None:
    """Of log sigma. With `log_std`, sigma^2 stays within float32 for six standard deviations."""
    check_number(name, value, lambda v: -10 <= v <= 10, "in -10..10")


def log_std(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 < v <= 5, "above 0, up to 5")


def below_one(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 <= v < 1, "in 0..1, below 1")


def inside(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 < v < 1, "inside (0, 1)")


def integers(name: str, value: object) -> None:
    if not isinstance(value, tuple):
        raise CourseError(f"{name}: got {shown(value)}, want a list of integers")
    for one in value:
        check_integer(name, one, 1, 4096)


def text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise CourseError(f"{name}: got {shown(value)}, want a text")


def switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise CourseError(f"{name}: got {shown(value)}, want true or false")


# ---- the beta schedule

MOST_SIGMA = 1e15  # its square, and a few factors, are numbers of float32


@dataclass(frozen=True)
class Schedule:
    """One of `schedules.BETAS` with T steps; knobs: its function's other arguments, e.g. {"beta_max": 0.02}."""

    kind: str
    T: int = 1000
    knobs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_known("kind", self.kind, BETAS)
        check_integer("T", self.T, 1, 100_000)
        known = inspect.signature(BETAS[self.kind]).parameters
        for name, value in self.knobs.items():
            check_known("key", name, ["kind", *known])
            check_number(name, value)
        defaults = {name: one.default for name, one in known.items() if name != "T"}
        object.__setattr__(self, "knobs", {**defaults, **self.knobs})
        last = float(self.made().sigmas[-1])
        if not last <= MOST_SIGMA:
            knobs = ", ".join(f"{name} {value:g}" for name, value in self.knobs.items())
            raise CourseError(
                f"T {self.T}, {knobs}: the last sigma is {last:.2g}, want at most {MOST_SIGMA:g}; take fewer steps or smaller betas"
            )

    def made(self) -> NoiseSchedule:
        """The table. Raises CourseError for knobs that give a beta outside (0, 1)."""
        return NoiseSchedule.from_betas(BETAS[self.kind](self.T, **self.knobs))


# ---- parametrisations: what the network sees and predicts, see `parametrisations.py`


@dataclass(frozen=True)
class EpsParam(Part):
    """Predicts eps."""

    kind = "eps"


@dataclass(frozen=True)
class X0Param(Part):
    """Predicts x_0."""

    kind = "x0"


@dataclass(frozen=True)
class VParam(Part):
    """Predicts v."""

    kind = "v"


@dataclass(frozen=True)
class FlowParam(Part):
    """Predicts eps - x_0 on the straight path."""

    kind = "flow"


@dataclass(frozen=True)
class EdmParam(Part):
    """Preconditioned for data of standard deviation sigma_data (Karras et al. 2022)."""

    kind = "edm"
    sigma_data: float = key(positive, SIGMA_DATA)


# ---- noise levels of training


@dataclass(frozen=True)
class LogNormal(Part):
    """log sigma ~ N(mean, std^2) (Karras et al. 2022, table 1)."""

    kind = "log-normal"
    mean: float = key(log_mean, P_MEAN)
    std: float = key(log_std, P_STD)


@dataclass(frozen=True)
class LogitNormal(Part):
    """logit t ~ N(mean, std^2) on the straight path, t = sigma / (1 + sigma) (Esser et al. 2024)."""

    kind = "logit-normal"
    mean: float = key(log_mean, 0.0)
    std: float = key(log_std, 1.0)


@dataclass(frozen=True)
class UniformTime(Part):
    """t uniform between two ends on the straight path, t = sigma / (1 + sigma) (Lipman et al. 2023)."""

    kind = "uniform"
    t_min: float = key(inside, 0.001)
    t_max: float = key(inside, 0.999)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.t_min >= self.t_max:
            raise CourseError(f"t_min, t_max: got {self.t_min}, {self.t_max}, want t_min < t_max")


@dataclass(frozen=True)
class ScheduleTimes(Part):
    """t uniform in 1..T of the config's schedule (Ho et al. 2020, algorithm 1)."""

    kind = "schedule"


# ---- losses, see `losses.py`


@dataclass(frozen=True)
class SimpleLoss(Part):
    """The squared error of eps."""

    kind = "simple"


@dataclass(frozen=True)
class X0Loss(Part):
    """The squared error of x_0."""

    kind = "x0"


@dataclass(frozen=True)
class VLoss(Part):
    """The squared error of v."""

    kind = "v"


@dataclass(frozen=True)
class FlowLoss(Part):
    """The squared error of the velocity eps - x_0."""

    kind = "flow"


@dataclass(frozen=True)
class EdmLoss(Part):
    """The weight of Karras et al. 2022, with the parametrisation's sigma_data."""

    kind = "edm"


@dataclass(frozen=True)
class MinSnrLoss(Part):
    """The squared error of x_0 times min(SNR, gamma) (Hang et al. 2023)."""

    kind = "min-snr"
    gamma: float = key(positive, 5.0)


@dataclass(frozen=True)
class TruncatedSnrLoss(Part):
    """The squared error of x_0 times max(SNR, 1) (Salimans & Ho 2022)."""

    kind = "truncated-snr"


@dataclass(frozen=True)
class P2Loss(Part):
    """The squared error of eps divided by (k + SNR)^gamma (Choi et al. 2022)."""

    kind = "p2"
    k: float = key(positive, 1.0)
    gamma: float = key(exponent, 1.0)


@dataclass(frozen=True)
class VlbLoss(Part):
    """The variational bound, without its constant L_T, in bits per dimension."""

    kind = "vlb"


@dataclass(frozen=True)
class HybridLoss(Part):
    """The simple loss, plus weight times the bound, which trains the variances alone (Nichol & Dhariwal 2021, eq. 16)."""

    kind = "hybrid"
    weight: float = key(positive, 0.001)


@dataclass(frozen=True)
class CrossEntropyLoss(Part):
    """Of a classifier. shift: images are moved by up to so many pixels each way."""

    kind = "cross-entropy"
    shift: int = key(integer(0, 64), 0)


@dataclass(frozen=True)
class MaskedLoss(Part):
    """The bound of masked diffusion, in nats per token, at linear times (Sahoo et al. 2024), see `masked.py`."""

    kind = "masked"


@dataclass(frozen=True)
class ContrastiveLoss(Part):
    """Of a model of images and texts: which text of the batch is whose (Radford et al. 2021)."""

    kind = "contrastive"


@dataclass(frozen=True)
class ReconstructionLoss(Part):
    """Of an autoencoder: squared error plus beta times the KL divergence of the latents. beta: 0 is without it."""

    kind = "reconstruction"
    beta: float = key(not_negative, 0.01)


# ---- latents in place of images


@dataclass(frozen=True)
class Latents:
    """Denoise `scale` times the latents of an autoencoder, not images (Rombach et al. 2022, section 3.2).

    autoencoder: the name of one that ships, or the path of a file that `train` wrote. A run writes the rest down: scale, by default
    1 / (standard deviation of the latents), measured when it begins; digest, of the autoencoder's file. Both are results, so
    configs compare equal without them.
    """

    autoencoder: str
    scale: float | None = field(default=None, compare=False)
    digest: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("autoencoder", "digest"):
            value = getattr(self, name)
            if not (isinstance(value, str) and value) and (name == "autoencoder" or value is not None):
                raise CourseError(f"{name}: got {shown(value)}, want text")
        if self.scale is not None:
            positive("scale", self.scale)


Parametrisation = EpsParam | X0Param | VParam | FlowParam | EdmParam
Noise = LogNormal | LogitNormal | UniformTime | ScheduleTimes
Loss = (
    SimpleLoss
    | X0Loss
    | VLoss
    | FlowLoss
    | EdmLoss
    | MinSnrLoss
    | TruncatedSnrLoss
    | P2Loss
    | VlbLoss
    | HybridLoss
    | CrossEntropyLoss
    | MaskedLoss
    | ContrastiveLoss
    | ReconstructionLoss
)
NEED_SCHEDULE = EpsParam | X0Param | VParam | ScheduleTimes
